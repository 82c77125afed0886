// Package scaletest holds what tests and figures of many gateways need: a crowd
// of gateways with full journals, a broker cluster that can lose a node, and a
// front that stands before several processes.
package scaletest
