# make test-trixie   make test on Debian 13, in a chroot (needs root)
# make test-src NGINX_SRC=/path   integration tests on a plain nginx tree, dynamic and static

PACKAGES_TRIXIE = debootstrap debian-archive-keyring git iproute2 util-linux
PACKAGES_SRC    = $(PACKAGES_TEST)

.PHONY: test-trixie test-src

test-trixie:
	@t/trixie.sh check
	@t/packages.sh $(PACKAGES_TRIXIE)
	@t/trixie.sh run "$(BUILD)/trixie" make test JOBS=$(JOBS)

test-src: packages-SRC
	@t/test-src.sh "$(BUILD)" "$(NGINX_SRC)" $(JOBS)
