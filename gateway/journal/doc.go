// Package journal is the one queue of the gateway: an append-only SQLite file
// that numbers events, keeps them through power cuts, and hands them to
// consumers by cursors.
//
// Guarantees:
//
//   - An event whose done was called with nil is on the disk (write-ahead log,
//     one fdatasync for each group of commits) and survives kill -9 and a power
//     cut, as far as the disk does what it says.
//   - (epoch, seq) names an event for ever. seq is dense within an epoch; the
//     epoch is random and new whenever a database is made anew. Two different
//     events never bear the same name.
//   - A cursor delivers at least once. After a crash the rows since the last
//     saved position come again, with the same names.
//   - Within one lane of one database, rows come in the order of their commits.
//     Rows that were salvaged from a damaged file, or moved from memory to the
//     disk, come after the rows that were committed meanwhile.
//   - No state of the file stops the gateway: a damaged file is set aside and
//     salvaged, a disk that does not work is replaced by memory (and said so).
//   - A start reads one row of counters, the cursors and the alerts, whatever
//     the length of the queue.
//
// Limits:
//
//   - A disk that neither answers nor fails holds the writer in the kernel;
//     nothing is lost up to the bounds of Options, and nothing moves.
//   - A foreign program that keeps a read transaction open keeps the
//     write-ahead log from being reused; the condition journal-log-pinned says so.
//   - A crash while in memory, after a commit whose outcome the disk did not
//     tell, can leave one batch in the file under names that differ from those
//     that were sent from memory. The alerts are the same; the rows are double.
//   - While the journal is in memory, undelivered rows of the file wait for its
//     return, and rows that were delivered from memory meanwhile may come again
//     behind them, under the same names. A stop in this time loses the rows that
//     are in memory only, as ErrNotDurable said.
//   - A file that vanished under the gateway is written anew by the writer from
//     what is still open; with a huge file that takes longer than 2 s.
package journal
