// Package intake puts what arrives at once, over HTTP and MQTT, into one
// transaction of the store, and answers each caller after the commit.
package intake
