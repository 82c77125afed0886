package journal

import "context"

func (j *Journal) comeBack(ctx context.Context) {}
