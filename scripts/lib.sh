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

# --help prints the comment at the top of a script, and nothing else happens.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }
[[ " $* " != *" --help "* && ${1-} != -h ]] || { usage; exit; }

# For arguments that cannot be
wrong_usage() { usage | grep ^usage: >&2; exit 1; }

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

# The patches in order, or those of some topics, as paths below patches/, without the marks.
series() { # [TOPIC...]
	awk -v only=" $* " '/^# topic / { name = $3; sub(/:$/, "", name) }
		{ sub(/#.*/, ""); sub(/[ \t]+$/, "") }
		/./ && (only ~ /^ *$/ || index(only, " " name " "))' "$top/patches/series"
}

# The topics that patches/series marks: name, how many patches, title. Topic N is in the
# folder N-NAME.
topics() {
	awk '/^# topic / {
			if (n) print name, n, title
			n = 0; name = $3; sub(/:$/, "", name)
			title = $0; sub(/^[^:]*: /, "", title); sub(/; (needs|to|mainline): .*/, "", title)
		}
		/^[^#]/ { n++ }
		END { if (n) print name, n, title }' "$top/patches/series"
}

# A field of a topic's mark: needs, to or mainline.
mark() { # TOPIC FIELD
	sed -nE "s/^# topic $1:.*; $2: ([^;]*).*/\1/p" "$top/patches/series" | tr , ' '
}

# What a topic needs, directly or not, in order. What it needs comes before it.
needs() { # TOPIC
	local name wanted=" $1 " found=
	while read -r name _; do
		[[ $wanted == *" $name "* ]] || continue
		wanted+="$(mark "$name" needs) "
		[ "$name" = "$1" ] || found="$name $found"
	done < <(topics | tac)
	echo "$found"
}

# One word that changes when the series, or some topics of it, do.
# shellcheck disable=SC2120 # all of it without arguments
series_id() { (cd "$top/patches" && cat series $(series "$@")) | sha256sum | cut -c1-16; }

# Commits of patches on top of another commit, whose name is BASE, in an index of our own:
# what git am does, but for a work tree. Prints the last.
commits() { # BASE COMMIT PATCH...
	local base=$1 head=$2 p
	local -x GIT_INDEX_FILE GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE GIT_COMMITTER_DATE
	shift 2
	am=$(mktemp -d "$out/am.XXXXXX")
	trap 'rm -rf "$am"' EXIT
	info() { sed -n "s/^$1: //p" "$am/info"; }
	GIT_INDEX_FILE=$am/index
	g -C "$base_repo" read-tree "$head"
	for p; do
		g mailinfo "$am/msg" "$am/patch" <"$top/patches/$p" >"$am/info" || die "patches/$p is no mail"
		(cd "$base_repo" && g apply --cached "$am/patch") 2>"$out/am.log" ||
			die "$p does not apply to $base: see $out/am.log; the series is for v7.3-rc7"
		GIT_AUTHOR_NAME=$(info Author) GIT_AUTHOR_EMAIL=$(info Email) GIT_AUTHOR_DATE=$(info Date)
		GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
		head=$({ info Subject; echo; cat "$am/msg"; } | g stripspace |
			g -C "$base_repo" commit-tree "$(g -C "$base_repo" write-tree)" -p "$head") || die "cannot commit $p to $base"
	done
	echo "$head"
}

# The commit that some topics make on top of another one. Kept in out/heads, as it
# takes a second a patch.
stack() { # BASE TOPIC...
	local base=$1 head topic key new
	head=$(git -C "$base_repo" rev-parse "$1^{commit}")
	shift
	for topic; do
		key=$head-$(cd "$top/patches" && cat $(series "$topic") | sha256sum | cut -c1-16)
		new=$(sed -n "s/^$key //p" "$out/heads" 2>/dev/null | tail -n 1)
		git -C "$base_repo" cat-file -e "${new:-none}" 2>/dev/null ||
			{ new=$(commits "$base" "$head" $(series "$topic")) && echo "$key $new" >>"$out/heads"; } || return
		head=$new
	done
	echo "$head"
}

# git with an identity of ours, whatever the user has; never signing, no hooks.
g() { git -c user.name=base -c user.email=base@localhost -c commit.gpgsign=false \
	-c core.hooksPath=/dev/null -c gc.auto=0 -c core.abbrev=12 "$@"; }

# Is a topic in BASE already? Its mark names the release of mainline that has it, then the
# commits: "mainline: v7.4 0123456789ab ...". A base with a history has it if all of them are
# in it, or named by commits that brought them there (in stable, or by cherry-pick -x); one
# without, as Debian's, by its version too. Not by diffs: mainline's are not ours.
in_base() { # BASE TOPIC
	local release ids id brought have=() lack=()
	read -r release ids <<<"$(mark "$2" mainline)"
	[ -n "$release" ] || return
	if (($(git -C "$base_repo" rev-list --count --max-count=100 "$1") < 100)); then
		git -C "$base_repo" show "$1:Makefile" 2>/dev/null | sed -nE 's/^(VERSION|PATCHLEVEL) = //p' | paste -sd. |
			cat <(echo "${release#v}") - | sort -VC && return
	fi
	# Later than the commits themselves, so not in all of the history.
	brought=$(git -C "$base_repo" log --since=2026-09-01 --format=%B "$1" |
		sed -nE 's/^(commit|\[ Upstream commit|\(cherry picked from commit) ([0-9a-f]{12,40})( upstream\.| \]|\))$/\2/p')
	for id in $ids; do
		if git -C "$base_repo" merge-base --is-ancestor "$id" "$1" 2>/dev/null || grep -q "^$id" <<<"$brought"; then
			have+=("$id")
		else
			lack+=("$id")
		fi
	done
	((${#have[@]} == 0 || ${#lack[@]} == 0)) ||
		die "$1 has ${have[*]} of topic $2 and not ${lack[*]}: take one before or after all of them"
	((${#have[@]}))
}

# The topics to apply to BASE, of those given or of all: without those that it has.
wanted() { # BASE [TOPIC...]
	local base=$1 name some
	shift
	some=("$@")
	(($#)) || mapfile -t some < <(topics | cut -d' ' -f1)
	for name in "${some[@]}"; do
		if in_base "$base" "$name"; then say "topic $name is left out: $base has it"; else echo "$name"; fi
	done
}

# A private apt state: the suites are not the system's, the mirror is. Sets apt, its
# directory, and A, options of apt.
suites() { # SUITE...
	local mirror s
	apt=$out/apt
	mkdir -p "$apt"/state/lists/partial "$apt"/cache/archives/partial
	mirror=$(apt-get indextargets --format '$(SITE) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null |
		awk '$2 == "Debian" && $1 !~ /security/ { print $1; exit }')
	[ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | head -n 1)
	[ -n "$mirror" ] ||
		die "apt has no mirror of Debian: configure one, or pass a clone of Linux: scripts/run --tree DIR"
	for s; do
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $s main"
	done >"$apt/sources.list"
	A=(-qq -o "Dir::State=$apt/state" -o "Dir::Cache=$apt/cache" -o "Dir::Etc::SourceList=$apt/sources.list"
		-o Dir::Etc::SourceParts=/dev/null -o Dir::State::status=/var/lib/dpkg/status -o "APT::Sandbox::User=$(id -un)")
	apt-get "${A[@]}" update >"$apt/log" 2>&1 || die "apt-get update failed: see $apt/log"
}

# A copy of the scripts and what they read in DIR, to spoil or to try things in: its base is
# what is in DIR/user, which becomes a clone of Linux.
copy_us() { # DIR
	cp -r "$top"/{scripts,patches,kunit,configs} "$1/"
	g init -q "$1/user"
	g -C "$1/user" add -A
	g -C "$1/user" commit -q -m base
	g -C "$1/user" tag v7.3-rc7-debian
	mkdir "$1/out"
	g clone -q --bare "$1/user" "$1/out/linux"
}
