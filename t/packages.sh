#!/bin/sh
# Installs the Debian packages it is given, as far as they are missing, without
# starting the services they bring.  Without root and sudo it says what to run.

set -u

missing=
for package; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null \
        | grep -q 'ok installed' || missing="$missing $package"
done

[ -z "$missing" ] && exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    sudo=sudo
    if ! sudo -n true 2>/dev/null; then
        echo "missing Debian packages; run this and start again:" >&2
        echo "  sudo apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
fi

echo "installing:$missing"

# A policy that says "do not start": removed again whatever happens.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '$sudo rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 0755 "$policy"
fi

install() {
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends $missing >/dev/null
}

install 2>/dev/null || { $sudo apt-get update -qq && install; }
