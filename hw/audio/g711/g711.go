// Package g711 makes telephone sound of samples: 24 kHz linear to 8 kHz µ-law or
// A-law, behind a low-pass filter.
package g711
