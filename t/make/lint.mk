# make lint       drift guards, their own tests, clang-format, cppcheck, clang-tidy

PACKAGES_LINT = $(PACKAGES_BUILD) perl clang-format clang-tidy cppcheck

# A guard reads the tree and ends with one line of summary, or with each place
# that drifted and status 1.  All of them run, whichever fails.

GUARDS = directives names conf sources tests lengths text format

.PHONY: lint

lint: packages-LINT module
	@wrong=; \
	for guard in $(GUARDS); do \
		perl t/check/$$guard.pl || wrong="$$wrong $$guard"; \
	done; \
	sh t/check/cppcheck.sh || wrong="$$wrong cppcheck"; \
	bash t/check/tidy.sh "$(BUILD)" || wrong="$$wrong tidy"; \
	BUILD="$(BUILD)" prove t/check/selftest.t || wrong="$$wrong selftest"; \
	if [ -n "$$wrong" ]; then echo "lint:$$wrong: wrong" >&2; exit 1; fi; \
	echo "lint: fine"
