// Package docs holds the contract with the outside world, as it is handed out:
// what gateways and dispatch say to each other over HTTPS and MQTT.
package docs

import "embed"

// Contract has three files at its root: openapi.yaml (OpenAPI 3.1),
// asyncapi.yaml (AsyncAPI 3) and schemas.yaml, the JSON Schema 2020-12 of every
// payload, to which both refer by its name.
//
//go:embed openapi.yaml asyncapi.yaml schemas.yaml
var Contract embed.FS
