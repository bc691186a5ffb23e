# make test-trixie   make test on Debian 13, and tests over HTTP/3, in a chroot (needs root)
# make test-src NGINX_SRC=/path   integration tests on a plain nginx tree, dynamic and static

PACKAGES_TRIXIE = debootstrap debian-archive-keyring git iproute2 util-linux
PACKAGES_SRC    = $(PACKAGES_TEST)

# Debian 12's nginx has no HTTP/3, nor has its curl
PACKAGES_HTTP3  = python3-aioquic

.PHONY: test-trixie test-src

test-trixie:
	@t/trixie.sh check
	@t/packages.sh $(PACKAGES_TRIXIE)
	@t/trixie.sh run "$(BUILD)/trixie" make test JOBS=$(JOBS) \
		MORE_TESTS='t/http3/*.t'

test-src: packages-SRC
	@t/test-src.sh "$(BUILD)" "$(NGINX_SRC)" $(JOBS)
