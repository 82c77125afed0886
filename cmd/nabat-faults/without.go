package main

// This file holds the changes that take protections out of the programs, where
// more than one scenario needs them. Each compiles, and each is a mistake that
// a real gateway made.

// withoutReceipts makes the broker's word count as delivery.
func withoutReceipts() []change {
	return []change{{file: "cmd/nabat/link.go", old: "Receipts: m.Receipts,", replacement: "Receipts: m.Receipts && false,"}}
}

// unansweredCounts makes rows count as delivered that nobody has answered.
func unansweredCounts() []change {
	return append(withoutReceipts(), change{
		file: "sync/cursor/lane.go", old: "		case Later:\n			return n, cause(why)\n",
		replacement: "		case Later:\n			last, passed = row, false\n			n++\n			gone++\n",
	}, change{
		file: "sync/cursor/lane.go", old: "	clear(q.flights)\n",
		replacement: "	for _, f := range q.flights {\n		q.Source.Advance(f.row)\n	}\n	clear(q.flights)\n",
	})
}

// keepsRepetitions makes dispatch store what it has stored already, takes away
// the key of its table that stands behind that, and makes the gateway send what
// an old receipt covers.
func keepsRepetitions() []change {
	return []change{
		{file: "sync/dispatch/store/decide.go", old: "		if st.have.has(it.seq) {\n", replacement: "		if st.have.has(it.seq) && it.seq == 0 {\n"},
		{file: "sync/mqtt/session.go", old: "	if s.p.witness.covers(row.Ref) {\n", replacement: "	if s.p.witness.covers(row.Ref) && row.Pos < 0 {\n"},
		{file: "sync/dispatch/store/schema/sqlite/1.sql", old: "	raw     BLOB NOT NULL,\n	PRIMARY KEY (stream, seq)\n", replacement: "	raw     BLOB NOT NULL\n"},
	}
}

// noMemory makes the journal give events up that the file does not take.
func noMemory() []change {
	return []change{{
		file: "gateway/journal/mend.go", old: "func (j *Journal) flee(ctx context.Context, cause error) { _ = j.goAway(ctx, cause) }",
		replacement: "func (j *Journal) flee(context.Context, error) {}",
	}}
}

// noSalvage leaves a file that was set aside where it is.
func noSalvage() []change {
	return []change{{
		file: "gateway/journal/salvage.go", old: "	for _, f := range files {\n		if c.salvaging[f] {\n",
		replacement: "	for _, f := range files {\n		if c.salvaging[f] || f != \"\" {\n",
	}}
}

// deletesByDate makes retention look at dates alone, and believe every clock.
func deletesByDate() []change {
	return []change{
		{file: "gateway/journal/retain.go", old: "	passed := j.passedByAll(l)\n", replacement: "	passed := j.book.last[l]\n"},
		{file: "gateway/journal/calendar.go", old: "	if now.Boot != at.Boot && now.Mono-c.since < calendarTrust {\n", replacement: "	if now.Wall.Sub(at.Wall) > 0 || at.Boot == now.Boot {\n		return now.Wall.Sub(at.Wall)\n	}\n	if now.Boot != at.Boot && now.Mono-c.since < calendarTrust {\n"},
	}
}

// anyReplyCounts makes whatever is answered with success count as the service's
// own reply.
func anyReplyCounts() []change {
	return []change{
		{file: "sync/central/answer.go", old: "		if !a.json() {\n			return c.foreign(a)\n		}\n		return nil\n", replacement: "		return nil\n"},
		{file: "sync/event/batch.go", old: "	r, err := parseReply(b)\n	if err != nil {\n", replacement: "	r, err := parseReply(b)\n	if err != nil {\n		return Reply{Epoch: \"*\"}, nil\n	}\n	if err != nil {\n"},
		{file: "sync/event/batch.go", old: "	if ref.Epoch != r.Epoch {\n", replacement: "	if r.Epoch == \"*\" || r.Epoch == \"\" {\n		return true\n	}\n	if ref.Epoch != r.Epoch {\n"},
		{file: "sync/central/sender.go", old: "	if reply.Epoch != part[0].ref.Epoch {\n", replacement: "	if reply.Epoch != part[0].ref.Epoch && reply.Epoch != \"*\" {\n"},
	}
}

// anyAnswerCounts makes every answer count as one of success.
func anyAnswerCounts() []change {
	return append(anyReplyCounts(), change{file: "sync/central/sender.go", old: "	if err := l.s.c.check(a); err != nil {\n", replacement: "	if err := l.s.c.check(a); err != nil && a.status == 0 {\n"})
}

// parksWhole makes a batch that was refused go as a whole.
func parksWhole() []change {
	return []change{{
		file: "sync/central/sender.go", old: "		case errors.As(err, &unfit) && len(part) > 1:\n",
		replacement: "		case errors.As(err, &unfit) && len(part) > 1:\n			for _, it := range part {\n				it.settle(cursor.Never, unfit)\n			}\n			todo = todo[1:]\n			continue\n		case errors.As(err, &unfit) && len(part) > 1<<20:\n",
	}}
}

// noIDMemory makes the gateway forget which commands it has carried out.
func noIDMemory() change {
	return change{file: "sync/command/accept.go", old: "	command.Before = next.before(c.ID)\n", replacement: ""}
}

// counterMayFall makes the gateway take any counter.
func counterMayFall() change {
	return change{file: "sync/command/accept.go", old: "	if c.Counter <= g.state.Counter {\n", replacement: "	if c.Counter == 0 {\n"}
}
