// Package gate is dispatch's door for gateways: HTTPS with four small resources
// for each gateway, its events, its status, its commands and its configuration.
//
// A gateway gets 200 for a batch after the database has committed it and not
// before. Everything that comes through the door is bounded: bytes before and
// after decompression, events, requests at a time and by the second, headers,
// and how long a request may take to arrive.
package gate
