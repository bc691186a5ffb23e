# make            the module, against the distribution's nginx-dev
# make demo       a connector on loopback, played through
# make test       units, fuzz corpora, integration
# make NGINX_SRC=/path   the module, against a plain nginx tree
# make units      the unit tests of src/ alone
# make corpus     the fuzz corpora alone
# make clean      removes what was built

BUILD     ?= build
JOBS      ?= 2
NGINX_DEV ?= /usr/share/nginx/src
MODULE     = $(BUILD)/ngx_http_rms_module.so
CORE       = $(BUILD)/core/librms.a

PACKAGES_BUILD = gcc libc6-dev make nginx nginx-dev libxml2-dev libjansson-dev libkrb5-dev \
                 libssl-dev libpcre2-dev zlib1g-dev libhiredis-dev
PACKAGES_DEMO  = $(PACKAGES_BUILD) krb5-kdc krb5-admin-server krb5-user curl \
                 openssl python3 perl libgssapi-perl
PACKAGES_TEST  = $(PACKAGES_DEMO) libcmocka-dev python3-gssapi \
                 python3-requests-kerberos xz-utils samba-ad-dc \
                 samba-ad-provision samba-dsdb-modules winbind python3-samba \
                 gss-ntlmssp libdigest-md4-perl python3-requests-ntlm \
                 libwww-perl liblwp-authen-negotiate-perl libauthen-ntlm-perl \
                 redis-server redis-sentinel haproxy libnginx-mod-stream \
                 libio-socket-ssl-perl

CFLAGS_CORE = -std=c11 -O2 -g -D_GNU_SOURCE -fPIC -Wall -Wextra -Wshadow \
              -Wconversion -Werror -Isrc -I/usr/include/libxml2 $(CFLAGS_EXTRA)
LIBS_CORE   = -lxml2 -ljansson -lgssapi_krb5 -lkrb5 -lk5crypto -lcrypto -lz -lhiredis -lpthread

CORE_SRCS   = $(sort $(wildcard src/*.c))
CORE_OBJS   = $(CORE_SRCS:src/%.c=$(BUILD)/core/%.o)
HEADERS     = $(wildcard src/*.h)
UNITS       = $(patsubst t/unit/%.c,$(BUILD)/unit/%,$(wildcard t/unit/test_*.c))
FUZZERS     = $(patsubst t/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard t/fuzz/fuzz_*.c))

.PHONY: all module demo test units corpus clean help

all: packages-BUILD module

module: $(MODULE)

help:
	@sed -n 's/^# \(make.*\)/\1/p' Makefile t/make/*.mk

packages-%:
	@t/packages.sh $(PACKAGES_$*)

$(MODULE): config $(wildcard ngx_rms_module/*) $(CORE_SRCS) $(HEADERS)
	@t/build-module.sh "$(BUILD)" "$(NGINX_DEV)" "$(NGINX_SRC)"

demo: packages-DEMO module
	@t/demo/run.sh

# One run of prove over the units (cmocka speaks TAP), the fuzz corpora and the
# integration tests, so that its summary is the last word.

test: packages-TEST module $(UNITS) $(FUZZERS)
	@CMOCKA_MESSAGE_OUTPUT=TAP BUILD=$(BUILD) \
		TEST_RMS_MODULE=$(abspath $(MODULE)) \
		prove -j$(JOBS) $(UNITS) t/*.t t/lib/*.t $(MORE_TESTS)

units: $(UNITS)
	@CMOCKA_MESSAGE_OUTPUT=TAP prove $(UNITS)

$(BUILD)/core/%.o: src/%.c $(HEADERS)
	@mkdir -p $(BUILD)/core
	@echo "  CC $<"
	@$(CC) $(CFLAGS_CORE) -c -o $@ $<

$(CORE): $(CORE_OBJS)
	@rm -f $@
	@ar rcs $@ $(CORE_OBJS)

$(BUILD)/unit/ticket.o: t/unit/ticket.c t/unit/ticket.h
	@mkdir -p $(BUILD)/unit
	@echo "  CC $<"
	@$(CC) $(CFLAGS_CORE) -It/unit -c -o $@ $<

$(BUILD)/unit/%: t/unit/%.c $(wildcard t/unit/*.h) $(BUILD)/unit/ticket.o $(CORE)
	@mkdir -p $(BUILD)/unit
	@echo "  CC $<"
	@$(CC) $(CFLAGS_CORE) -It/unit -o $@ $< $(BUILD)/unit/ticket.o $(CORE) \
		-lcmocka $(LIBS_CORE) $(LDFLAGS_$(notdir $@))

# the acceptor allocates by itself: its allocations are failed by wrapping
LDFLAGS_test_gss = -Wl,--wrap=malloc,--wrap=calloc
LDFLAGS_test_gss_ntlm = $(LDFLAGS_test_gss) -Wl,--wrap=dlsym -rdynamic
LDFLAGS_test_winbind = -rdynamic

# and here stands what libraries of several versions answer
LDFLAGS_test_gss_mic = -Wl,--wrap=gss_accept_sec_context,--wrap=gss_delete_sec_context

# and here what stands between gss-ntlmssp and libwbclient is passed over
LDFLAGS_test_winbind_status = -Wl,--wrap=dlopen,--wrap=dlsym,--wrap=dlclose

# The corpora are replayed with the plain compiler; t/fuzz/README says how to
# build the same files as libFuzzer targets.

$(BUILD)/fuzz/%: t/fuzz/%.c t/fuzz/replay.c $(CORE)
	@mkdir -p $(BUILD)/fuzz
	@echo "  CC $<"
	@$(CC) $(CFLAGS_CORE) -o $@ $< t/fuzz/replay.c $(CORE) $(LIBS_CORE)

corpus: $(FUZZERS)
	@BUILD=$(BUILD) prove t/fuzz_corpus.t

# lint, sanitizers, valgrind, fuzzing, benchmarks, other Debian releases

-include $(sort $(wildcard t/make/*.mk))

clean:
	rm -rf $(BUILD)
