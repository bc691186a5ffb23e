# make bench      CPU time per request beside plain nginx and its peers (BENCH_SECONDS=240)
# make bench-frozen   a part of it alone: latency with winbindd stopped, and without a KDC
# make bench-pool     a part of it alone: what a pool and its Redis cost

BENCH_SECONDS ?= 240
PACKAGES_BENCH = $(PACKAGES_TEST) wrk haproxy apache2-bin \
                 libapache2-mod-auth-gssapi libnginx-mod-http-lua \
                 lua-nginx-redis redis-tools

.PHONY: bench bench-frozen bench-pool

$(BUILD)/bench/load: t/bench/load.c
	@mkdir -p $(BUILD)/bench
	@echo "  CC $<"
	@$(CC) $(CFLAGS_CORE) -o $@ $< -lgssapi_krb5 -lcrypto

bench: packages-BENCH module $(BUILD)/bench/load
	@TEST_RMS_MODULE=$(abspath $(MODULE)) t/bench/bench.pl $(BUILD)/bench $(BENCH_SECONDS)
	@TEST_RMS_MODULE=$(abspath $(MODULE)) t/bench/frozen.pl $(BUILD)/bench
	@TEST_RMS_MODULE=$(abspath $(MODULE)) t/bench/pool.pl $(BUILD)/bench
	@t/bench/scaling.pl $(BUILD)/bench/pool.json

bench-frozen: packages-BENCH module $(BUILD)/bench/load
	@TEST_RMS_MODULE=$(abspath $(MODULE)) t/bench/frozen.pl $(BUILD)/bench

bench-pool: packages-BENCH module $(BUILD)/bench/load
	@TEST_RMS_MODULE=$(abspath $(MODULE)) t/bench/pool.pl $(BUILD)/bench
	@t/bench/scaling.pl $(BUILD)/bench/pool.json
