package scaletest

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Account is one user of the broker cluster.
type Account struct {
	User, Password string
	// Site and Gateway are empty for dispatch.
	Site, Gateway string
}

// Accounts returns accounts.conf of docs/scale.md for these users. The hashes
// are of the cheapest kind: passwords are random words of 128 bits and more,
// which nobody guesses however fast, and a dear hash would take the cluster
// minutes when a thousand gateways come back at once.
func Accounts(list []Account) (string, error) {
	var b strings.Builder
	b.WriteString("authorization {\n  users: [\n")
	for _, a := range list {
		hash, err := bcrypt.GenerateFromPassword([]byte(a.Password), bcrypt.MinCost)
		if err != nil {
			return "", fmt.Errorf("hash the password of %s: %w", a.User, err)
		}
		out, in := []string{"nabat.1.*.*.receipt", "nabat.1.*.*.command"}, []string{"nabat.1.*.*.event", "nabat.1.*.*.event.>", "nabat.1.*.*.status", "$MQTT.sub.>"}
		if a.Gateway != "" {
			own := "nabat.1." + a.Site + "." + a.Gateway
			out, in = []string{own + ".event.>", own + ".status"}, []string{own + ".receipt", own + ".command"}
		}
		fmt.Fprintf(&b, "    {user: %q, password: %q, allowed_connection_types: [\"MQTT\"], permissions: {publish: {allow: %s}, subscribe: {allow: %s}}}\n",
			a.User, hash, quoted(out), quoted(in))
	}
	b.WriteString("  ]\n}\n")
	return b.String(), nil
}

func quoted(list []string) string {
	return `["` + strings.Join(list, `", "`) + `"]`
}
