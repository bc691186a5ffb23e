# make test-asan  the whole suite with ASan and UBSan, on nginx built from source
# make test-asan TESTS='t/a.t t/b.t'   of the tests on nginx, these alone

ASAN          = $(BUILD)/asan
PACKAGES_ASAN = dpkg-dev patch xz-utils libpcre2-dev zlib1g-dev libssl-dev

# Left out, since nginx 1.22 itself trips them by design: nonnull-attribute
# (memcpy(x, NULL, 0)), pointer-overflow (NULL + 0), alignment (unaligned reads
# that x86 is known to allow).  Undefined behaviour traps, and ASan reports the
# trap: beside ASan, gcc's UBSan knows no log file and its words would be lost in
# an error log.
ASAN_FLAGS    = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
                -fno-sanitize=nonnull-attribute,pointer-overflow,alignment \
                -fsanitize-undefined-trap-on-error

ASAN_UNITS    = $(UNITS:$(BUILD)/%=$(ASAN)/%)
ASAN_FUZZERS  = $(FUZZERS:$(BUILD)/%=$(ASAN)/%)

.PHONY: test-asan

test-asan: packages-TEST packages-ASAN $(ASAN)/nginx
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=$(ASAN) \
		CFLAGS_EXTRA="$(ASAN_FLAGS)" $(ASAN_UNITS) $(ASAN_FUZZERS)
	@JOBS=$(JOBS) TESTS="$(TESTS)" t/asan/run.sh $(ASAN) $(ASAN_UNITS)

$(ASAN)/src/configure: t/asan/source.sh
	@mkdir -p $(ASAN)
	@echo "fetching the source package of nginx"
	@t/asan/source.sh $(ASAN)
	@touch $@

$(ASAN)/nginx: config $(wildcard ngx_rms_module/*) $(CORE_SRCS) $(HEADERS) \
		t/asan/build.sh t/make/asan.mk $(wildcard t/asan/leak/*) $(ASAN)/src/configure
	@JOBS=$(JOBS) t/asan/build.sh $(ASAN) "$(ASAN_FLAGS)"
