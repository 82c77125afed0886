// Package cursor carries rows of the journal to a far end: read after a
// position, deliver, then advance, retry or park.
//
// Guarantees: every row is delivered at least once or parked; rows of one lane
// arrive in order once repetitions are ignored; a cursor never stands beyond a
// row that was neither delivered nor parked; an alarm never waits behind rows
// of the routine lane that were not yet handed to the session.
package cursor
