// Package cap writes alerts as messages of the Common Alerting Protocol 1.2,
// the XML that other emergency services read.
//
// A message says what happened where, never about whom: free text that people
// wrote and the names of those who decided stay out of it. The scope is always
// Restricted.
package cap
