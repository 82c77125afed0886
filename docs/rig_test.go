package docs

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nabat/gateway/control"
	"nabat/gateway/pin"
	"nabat/sync/command"
	"nabat/sync/dispatch/store"
	"nabat/sync/mqtt/brokertest"
)

// patience is how long a test waits for a state that healthy programs reach in
// seconds, on a machine that may be busy with other work.
const patience = 90 * time.Second

const (
	site       = "school-12"
	hookSecret = "a secret of the session"
)

// rig is a dispatch, a broker, and somebody who notes everything.
type rig struct {
	t      *testing.T
	dir    string // of the programs
	notes  *notes
	broker *brokertest.Broker
	// direct is dispatch's own address, url the noting proxy's.
	direct, url string
	db          *store.Store // dispatch's database, seen from outside
	signer      *command.Signer
	dispatch    *process
}

// process is one of the real programs, running.
type process struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
	err   error // valid once ended is closed
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), notes: newNotes()}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", r.dir, "nabat/cmd/nabat", "nabat/cmd/nabat-dispatch")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	r.broker = brokertest.Start(t, brokertest.Options{})
	hook := httptest.NewServer(http.HandlerFunc(r.notes.hook))
	t.Cleanup(hook.Close)
	r.direct = freeAddress(t)
	proxy := httptest.NewServer(r.notes.proxy("http://" + r.direct))
	t.Cleanup(proxy.Close)
	r.url = proxy.URL

	dir := t.TempDir()
	key, err := command.Generate("session")
	must(t, err)
	must(t, os.Mkdir(filepath.Join(dir, "keys"), 0o700))
	must(t, key.Save(filepath.Join(dir, "keys", "session.jwk")))
	write(t, filepath.Join(dir, "keys", "active"), "session\n")
	r.signer, err = command.NewSigner(key)
	must(t, err)
	write(t, filepath.Join(dir, "hook.secret"), hookSecret+"\n")
	database := "sqlite:" + filepath.Join(dir, "dispatch.db")
	write(t, filepath.Join(dir, "dispatch.toml"), fmt.Sprintf(`listen = %q
address = "dispatch.example:8443"
database = %q
keys = "keys"
[mqtt]
url = "mqtt://%s"
[[webhook]]
name = "city"
url = %q
secret_file = "hook.secret"
allow_private = true
`, r.direct, database, r.broker.Addr(), hook.URL))
	r.db, err = store.Open(t.Context(), store.Options{URL: database})
	must(t, err)
	t.Cleanup(func() { _ = r.db.Close() })
	r.notes.subscribe(t, r.broker.Addr())
	r.dispatch = r.start("nabat-dispatch", "run", "--config", filepath.Join(dir, "dispatch.toml"), "--log", "warn")
	r.until("dispatch listens", func() bool {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", r.direct)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return r
}

// start runs a program until the test ends.
func (r *rig) start(name string, args ...string) *process {
	r.t.Helper()
	f, err := os.CreateTemp(r.t.TempDir(), "log")
	must(r.t, err)
	p := &process{cmd: exec.Command(filepath.Join(r.dir, name), args...), log: f.Name(), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = f, f
	// Should the test die, it leaves no program behind.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(r.t, p.cmd.Start())
	go func() { p.err = p.cmd.Wait(); _ = f.Close(); close(p.ended) }()
	r.t.Cleanup(func() {
		p.kill()
		if r.t.Failed() {
			b, _ := os.ReadFile(p.log)
			r.t.Logf("%s:\n%s", name, b[max(0, len(b)-3000):])
		}
	})
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only when it has ended already
	<-p.ended
}

// over waits until a program has ended well.
func (r *rig) over(p *process) {
	r.t.Helper()
	r.until(p.cmd.Path+" ends", func() bool {
		select {
		case <-p.ended:
			return true
		default:
			return false
		}
	})
	must(r.t, p.err)
}

func (r *rig) stop(p *process) {
	r.t.Helper()
	must(r.t, p.cmd.Process.Signal(syscall.SIGTERM))
	r.over(p)
}

// gateway is a real nabat on a simulated board.
type gateway struct {
	store.Gateway
	*process
	r      *rig
	text   string // of its configuration
	file   string
	pages  string
	client *control.Client
	token  string
}

// gateway registers a gateway, configures it for the central service and the
// given broker, and starts it.
func (r *rig) gateway(id, broker string) *gateway {
	r.t.Helper()
	g := &gateway{Gateway: store.Gateway{Site: site, ID: id}, r: r, pages: freeAddress(r.t)}
	dir := r.t.TempDir()
	var err error
	g.token, err = r.db.AddGateway(r.t.Context(), g.Gateway, "School No. 12", "session")
	must(r.t, err)
	write(r.t, filepath.Join(dir, "token"), g.token+"\n")
	hash, err := pin.Hash("482915")
	must(r.t, err)
	g.text = fmt.Sprintf(`site = %q
gateway = %q
name = { ru = "Школа № 12", kk = "№ 12 мектеп", en = "School No. 12" }
language = "en"
board = "sim"
data_dir = %q
screens = ["lobby"]
[[place]]
id = "gym"
name = { ru = "Спортзал", kk = "Спорт залы", en = "Gym" }
[[place]]
id = "room-204"
name = { ru = "Кабинет 204", kk = "204-кабинет", en = "Room 204" }
[[button]]
id = "button-gym"
place = "gym"
kind = "intruder"
[[button]]
id = "button-204"
place = "room-204"
kind = "medical"
[[plan]]
kind = "medical"
level = "help"
escalation = [ { after = "1s", to = "dispatch", level = "emergency" } ]
[announcements]
languages = ["en"]
[[speaker]]
id = "hall"
type = "rtp"
[speaker.rtp]
group = %q
[web]
listen = %q
pin = %q
[journal]
ballast_mib = 0
[central]
url = %q
token_file = %q
[mqtt]
url = "mqtt://%s"
`, site, id, dir, loudspeaker(r.t), g.pages, hash, r.url, filepath.Join(dir, "token"), broker) + r.signer.Public().TOML()
	g.file = filepath.Join(dir, "nabat.toml")
	write(r.t, g.file, g.text)
	g.client = control.NewClient(filepath.Join(dir, control.SocketName))
	g.run()
	return g
}

// run starts the gateway and waits until it is armed and dispatch hears it.
func (g *gateway) run() {
	g.r.t.Helper()
	g.process = g.r.start("nabat", "run", "--config", g.file)
	g.r.until(g.String()+" is armed and online", func() bool {
		s, err := g.client.Status(g.r.t.Context())
		for _, p := range s.Points {
			if !p.Armed {
				return false
			}
		}
		info, known := g.r.db.GatewayInfo(g.r.t.Context(), g.Gateway)
		return err == nil && len(s.Points) > 0 && known == nil && info.Online
	})
}

func (g *gateway) press(button string, hold time.Duration) {
	g.r.t.Helper()
	must(g.r.t, g.client.Press(g.r.t.Context(), button, hold))
}

// wall does something to a point of the simulated wall.
func (g *gateway) wall(point, action string) {
	g.r.t.Helper()
	req, err := http.NewRequestWithContext(g.r.t.Context(), http.MethodPost, "http://"+g.pages+"/api/v1/wall/"+point+"/"+action, nil)
	must(g.r.t, err)
	resp, err := http.DefaultClient.Do(req)
	must(g.r.t, err)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		g.r.t.Fatalf("%s %s: %s", action, point, resp.Status)
	}
}

// order issues a command as an operator's page does.
func (g *gateway) order(c command.Claims) command.Claims {
	g.r.t.Helper()
	c.Who = "anna"
	out, err := g.r.db.Issue(g.r.t.Context(), g.Gateway, c, "anna", g.r.signer)
	must(g.r.t, err)
	return out.Claims
}

// until waits for a state that the test observes.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("this did not come within %v: %s", patience, what)
		}
	}
}

// last is the topic by which a test knows that it has heard everything.
const last = "nabat/last"

// kept returns the topics of which the broker keeps messages.
func (r *rig) kept(id string) (topics []string) {
	r.t.Helper()
	got := make(chan message, 1000)
	client := listen(r.t, r.broker.Addr(), id, func(m message) { got <- m })
	// What is kept comes before what is published after the subscription.
	if token := client.Publish(last, 1, false, "x"); !token.WaitTimeout(patience) || token.Error() != nil {
		r.t.Fatalf("publish: %v", token.Error())
	}
	for {
		select {
		case m := <-got:
			if m.topic == last {
				return topics
			}
			if m.retained {
				topics = append(topics, m.topic)
			}
		case <-time.After(patience):
			r.t.Fatal("the broker does not pass on what it was given")
		}
	}
}

// loudspeaker is the address of one in the network. It takes what is said to it,
// and nobody listens.
func loudspeaker(t *testing.T) string {
	t.Helper()
	c, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c.LocalAddr().String()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(strings.TrimLeft(text, "\n")), 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
