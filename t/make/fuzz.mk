# make fuzz MINUTES=n [TARGET=x]   fuzzes the parsers of src/, or one of them, for n minutes
# make fuzz-http MINUTES=n [SEED=n]   fuzzes a running nginx, with sanitizers, over HTTP

MINUTES   ?= 10
TARGET    ?= $(patsubst t/fuzz/fuzz_%.c,%,$(sort $(wildcard t/fuzz/fuzz_*.c)))
SEED      ?= 1

# clang recommends, and so does not bring, its sanitizer and fuzzer runtimes
PACKAGES_FUZZ = $(PACKAGES_BUILD) clang llvm llvm-dev \
                $(shell apt-cache depends clang 2>/dev/null \
                    | sed -n 's/.*Depends: clang-\([0-9]*\)$$/libclang-rt-\1-dev/p')
PACKAGES_FUZZ_HTTP = $(PACKAGES_TEST) libio-socket-ssl-perl

FUZZ_CFLAGS = -std=c11 -O2 -g -D_GNU_SOURCE -Isrc -I/usr/include/libxml2 \
              -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_OBJS   = $(CORE_SRCS:src/%.c=$(BUILD)/fuzz/clang/%.o)
FUZZ_BINS   = $(TARGET:%=$(BUILD)/fuzz/clang/fuzz_%)

.PHONY: fuzz fuzz-bins fuzz-http
.SECONDARY: $(FUZZ_OBJS)

fuzz: packages-FUZZ
	@$(MAKE) -s fuzz-bins BUILD="$(BUILD)" TARGET="$(TARGET)"
	@t/fuzz/run.sh "$(BUILD)/fuzz" $(MINUTES) $(JOBS) $(TARGET)

fuzz-bins: $(FUZZ_BINS)

$(BUILD)/fuzz/clang/%.o: src/%.c $(HEADERS)
	@mkdir -p $(BUILD)/fuzz/clang
	@echo "  CLANG $<"
	@clang $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

$(BUILD)/fuzz/clang/fuzz_%: t/fuzz/fuzz_%.c $(FUZZ_OBJS)
	@echo "  CLANG $<"
	@clang $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $< $(FUZZ_OBJS) $(LIBS_CORE)

# TEST_NGINX_BINARY, or the nginx of make test-asan

fuzz-http: packages-FUZZ_HTTP $(if $(TEST_NGINX_BINARY),,packages-ASAN $(BUILD)/asan/nginx)
	@BUILD="$(BUILD)" t/fuzz/http.pl $(MINUTES) $(SEED)
