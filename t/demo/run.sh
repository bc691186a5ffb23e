#!/bin/sh
# run.sh [CONF] - plays what on-premises servers do, against conf-examples/connector.conf.
#
# Needs the built module (TEST_RMS_MODULE, default build/ngx_http_rms_module.so).
# KEEP=1 leaves everything running and prints how to talk to it and stop it.
# Exit status 0: all was as expected.  Ctrl-C ends everything.

exec perl "$(dirname "$0")/demo.pl" "$@"
