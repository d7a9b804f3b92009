# Sourced by every script here: where things are, and how to say what goes on.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$top/out
base_repo=$out/linux
tree=$out/tree

# Never ccache's depend mode: it misses what .incbin brings, as the kernel in a zImage.
export CCACHE_DIR=$out/ccache CCACHE_MAXSIZE=20G PYTHONDONTWRITEBYTECODE=1
# Debian's python3 and its modules, whatever else is first in PATH.
# Looking at a user's clone must not refresh its index.
export GIT_OPTIONAL_LOCKS=0
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH LC_ALL=C.UTF-8

say() { printf '[%3d:%02d] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$*" >&2; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Stop early rather than in the middle of a build. need_space GB
need_space() {
	local have
	mkdir -p "$out" 2>/dev/null || die "cannot create $out: make $top writable"
	have=$(df --output=avail -BG "$out" | tail -n 1 | tr -dc 0-9)
	[ "$have" -ge "$1" ] ||
		die "$out has $have GB free and this needs $1 GB: free some, or make out/ a link to a bigger disk"
}

# The patches in order, as paths below patches/, without the marks of groups.
series() { sed 's/#.*//; s/[[:space:]]*$//; /^$/d' "$top/patches/series"; }

# The groups that patches/series marks: a topic's name or a block's number, how many
# patches, title. Topic N is in the folder N-NAME, the blocks are in patches/ itself.
groups() {
	awk '/^# (topic|block) / {
			if (n) print name, n, title
			n = 0; name = $3; sub(/:$/, "", name)
			title = $0; sub(/^[^:]*: /, "", title); sub(/; (needs|to): .*/, "", title)
		}
		/^[^#]/ { n++ }
		END { if (n) print name, n, title }' "$top/patches/series"
}

# One word that changes when the series does.
series_id() { (cd "$top/patches" && cat series $(series)) | sha256sum | cut -c1-16; }

# git with an identity of ours, whatever the user has; never signing, no hooks.
g() { git -c user.name=base -c user.email=base@localhost -c commit.gpgsign=false \
	-c core.hooksPath=/dev/null -c gc.auto=0 -c core.abbrev=12 "$@"; }
