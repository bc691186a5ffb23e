# make test-valgrind  long runs: memory, reloads under load, Redis, valgrind (REQUESTS=100000 RELOADS=200 VALGRIND_REQUESTS=400)

REQUESTS          ?= 100000
RELOADS           ?= 200
VALGRIND_REQUESTS ?= 400
PACKAGES_SOAK      = valgrind libc6-dbg

.PHONY: test-valgrind

# -j1: what is measured is measured alone
test-valgrind: packages-TEST packages-SOAK module
	@BUILD=$(BUILD) TEST_RMS_MODULE=$(abspath $(MODULE)) REQUESTS=$(REQUESTS) \
		RELOADS=$(RELOADS) VALGRIND_REQUESTS=$(VALGRIND_REQUESTS) \
		prove -v t/soak/*.t
