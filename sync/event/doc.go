// Package event is the wire form of what a gateway says and hears: CloudEvents
// 1.0 in structured JSON, topic names, receipts and the status document. Both
// ends of the link use it.
package event
