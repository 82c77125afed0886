package point

import "errors"

// ErrHalted is returned by InputPin.NextEdge after Halt.
var ErrHalted = errors.New("pin was halted")
