package journal

func (j *Journal) startSalvage() {}
