package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A gateway that has everything has the most jobs, and each of them must have
// its time to stop: with one too many it would refuse to start.
func TestGatewayThatHasEverythingStarts(t *testing.T) {
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("not known to anybody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path, _ := writeConfig(t, dir, []string{"gym"}, `
[mqtt]
enabled = true
url = "mqtt://`+freeAddress(t)+`"
[central]
enabled = true
url = "http://`+freeAddress(t)+`"
token_file = "`+token+`"
[sms]
enabled = true
device = "`+filepath.Join(dir, "no-modem")+`"
[[contact]]
id = "head-1"
role = "head"
phone = "+77010000001"
[[speaker]]
id = "hall"
type = "rtp"
[speaker.rtp]
group = "127.0.0.1:50001"
[[display]]
id = "oled-1"
type = "ssd1306"
`)
	start(t, path, dir).stop(t)
}
