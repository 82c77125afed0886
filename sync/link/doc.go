// Package link holds what every link to dispatch needs in the same form:
// certificates and secrets that are read anew, connections that notice a dead
// other end, the record of up and down, and receipts that wait to be told.
package link
