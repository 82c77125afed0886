# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.
# Needs Go 1.26 or later; everything else is installed by `make tools`.

export CGO_ENABLED ?= 0
# git refuses to describe a checkout of another user, and go would then refuse to build; the version is given below.
export GOFLAGS ?= -buildvcs=false
GO        ?= go
CACHE     ?= $(CURDIR)/.cache
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unversioned)
LDFLAGS    = -s -w -X main.version=$(VERSION)
# The gateway's program carries the dispatch service for its demonstration only, and no client of PostgreSQL; its pages and
# links speak HTTP/1.1.
SMALL      = -tags sqliteonly,nethttpomithttp2 $(COLD:%=-gcflags=%=-l)
# Code that is never in a hurry is not inlined: a tenth of the program's size, which matters on a Pi's card. What is in a hurry
# (the journal and its database, the engine, the links, sound on its way to a card) stays as the compiler likes it.
COLD       = net/... crypto/tls crypto/x509/... html/... text/... vendor/... regexp/... mime/... database/... go/... image/... \
             compress/... log/... encoding/gob encoding/asn1 encoding/xml github.com/... golang.org/... periph.io/... go.bug.st/... nabat/cmd/... \
             nabat/gateway/web/... nabat/gateway/config nabat/gateway/control nabat/gateway/hallway nabat/gateway/timetable/... nabat/hw/display/... nabat/sync/dispatch/... nabat/sync/sms nabat/sync/command \
             math/big nabat/hw/audio/sip nabat/gateway/announce/speech nabat/gateway/health
LINT_VERSION = v2.13.0
LINT       = $(CACHE)/bin/golangci-lint-$(LINT_VERSION)
NATS_VERSION = v2.12.3
# The tests look for .cache/bin/nats-server-v* in their folder and those above it.
NATS       = $(CACHE)/bin/nats-server-$(NATS_VERSION)
GUEST_TIMEOUT = 40m

# Debian packages that the tests use for real: a broker, a database, a browser, a kernel with GPIO, other processors, a compiler for the race detector,
# a voice, a sound server, a receiver of sound, a telephone.
APT = mosquitto mosquitto-clients postgresql chromium fonts-dejavu-core qemu-system-x86 qemu-user-static busybox-static cpio kmod xz-utils zstd gcc gcc-12 libc6-dev libelf-dev e2fsprogs iproute2 openssl systemd libxml2-utils espeak-ng pulseaudio pulseaudio-utils alsa-utils ffmpeg sox sip-tester libasound2-plugins

# A test that hangs is named after ten minutes; two packages at a time, because their real parts share the processors.
GO_TEST    = $(GO) test -p 2 -timeout 10m
STAGES     = lint cross race unit fuzz browser guest

.PHONY: help demo program build cross test tools lint unit race fuzz browser guest bench faults scale shots clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

demo: ## the whole main job on this machine: wall, lobby, console, dispatch (ARGS=--help for its flags)
	$(GO) run -trimpath $(SMALL) -ldflags '$(LDFLAGS)' ./cmd/nabat demo $(ARGS)

build: ## bin/nabat and bin/nabat-dispatch for this machine
	$(MAKE) --no-print-directory program OUT=bin/nabat
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/nabat-dispatch ./cmd/nabat-dispatch

program: # the gateway's program as OUT; GOOS, GOARCH and GOARM choose the machine
	$(GO) build -trimpath $(SMALL) -ldflags '$(LDFLAGS)' -o $(OUT) ./cmd/nabat

cross: ## dist/ for every board: arm (ARMv6), arm64, amd64
	GOOS=linux GOARCH=arm GOARM=6 $(MAKE) --no-print-directory program OUT=dist/nabat-linux-armv6
	GOOS=linux GOARCH=arm64 $(MAKE) --no-print-directory program OUT=dist/nabat-linux-arm64
	GOOS=linux GOARCH=amd64 $(MAKE) --no-print-directory program OUT=dist/nabat-linux-amd64
	GOOS=linux GOARCH=arm64 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/nabat-dispatch-linux-arm64 ./cmd/nabat-dispatch
	GOOS=linux GOARCH=amd64 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/nabat-dispatch-linux-amd64 ./cmd/nabat-dispatch

test: tools ## everything: lint, unit, race, property, fuzz, broker, browser, virtual hardware, power cuts
	@for stage in $(STAGES); do \
	  begin=$$(date +%s); echo "== $$stage"; \
	  $(MAKE) --no-print-directory $$stage || { echo "== $$stage FAILED after $$(($$(date +%s) - begin)) s"; exit 1; }; \
	  echo "== $$stage passed in $$(($$(date +%s) - begin)) s"; \
	done

tools: ## install what the tests need (apt packages need root; says which are missing otherwise)
	@missing=$$(for p in $(APT); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then \
	    apt-get -q -o DPkg::Lock::Timeout=400 update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=400 install -y --no-install-recommends $$missing >/dev/null || exit 1; \
	  else echo "These Debian packages are missing; install them as root and run make again:"; echo "  apt-get install --no-install-recommends" $$missing; exit 1; fi; \
	fi
	@$(MAKE) --no-print-directory $(LINT) $(NATS)

$(LINT):
	@echo "building golangci-lint $(LINT_VERSION) (once, a minute or two)"
	@mkdir -p $(dir $(LINT))
	GOBIN=$(CACHE)/lint $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv $(CACHE)/lint/golangci-lint $(LINT)

$(NATS):
	@echo "building nats-server $(NATS_VERSION) (once, a minute or two)"
	@mkdir -p $(dir $(NATS))
	GOBIN=$(CACHE)/nats $(GO) install -trimpath github.com/nats-io/nats-server/v2@$(NATS_VERSION)
	@mv $(CACHE)/nats/nats-server $(NATS)

lint: $(LINT) ## gofmt, vet, the import direction and the house rules
	$(LINT) run --allow-parallel-runners --timeout 15m ./...

unit: ## unit, property, broker and crash tests, without the race detector (real speeds)
	$(GO_TEST) ./...

race: ## the same tests under the race detector
	CGO_ENABLED=1 $(GO_TEST) -race -short ./...

fuzz: ## every fuzz target, 5000 inputs each
	@./.ci/fuzz $(GO) 5000x

browser: ## lobby, console, wall and dispatch in a real Chromium
	$(GO_TEST) -tags browser -run Browser ./gateway/web/... ./sync/dispatch/desk ./cmd/nabat/...

guest: ## virtual hardware: kernel GPIO, the real binary, honest power cuts, other processors
	$(GO) test -tags guest -timeout $(GUEST_TIMEOUT) ./hw/guest/...

scale: $(NATS) ## the storm of docs/scale.md in full: 1000 gateways, a broker cluster, PostgreSQL, two dispatch processes, two kills
	$(GO) test -count=1 -timeout 15m -v -run TestARegion ./cmd/nabat-dispatch -args -gateways 1000 -each 100

bench: build ## the figures, each against a floor in the same run; writes docs/benchmarks.md
	$(GO) run ./cmd/nabat-bench -o docs/benchmarks.md

faults: ## every fault that real gateways failed on, done to the real programs, each also without its protection (15 minutes; root for the disks); writes docs/faults.md
	$(GO) run ./cmd/nabat-faults -controls -j 5 -o docs/faults.md

shots: ## the screenshots of README from the real pages
	$(GO) test -tags browser -timeout 10m -run BrowserScreenshots ./gateway/web -args -shots $(CURDIR)/docs/img
	$(GO) test -tags browser -timeout 10m -run BrowserScreenshots ./sync/dispatch/desk -args -shots $(CURDIR)/docs/img
	$(GO) test -tags guest -run PicturesForPeople ./hw/guest -args -displays $(CURDIR)/docs/img/displays

clean: ## remove what was built
	rm -rf bin dist $(CACHE)
