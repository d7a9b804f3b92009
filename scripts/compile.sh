# Sourced by gate and alone: build some of the tree in $dir, in $build, with W=1, for a
# row of configs/gate.

configure() { # writes .config, sets arch and cross: TARGET, or make ARCH PREFIX DEFCONFIG SYMBOL...
	local fragments qemu
	if [ "$1" = make ]; then
		arch=$2 cross=${3#-}
		[ -e "$build/.config" ] || make -s -C "$dir" O="$build" ARCH="$arch" CROSS_COMPILE="$cross" "$4"
		shift 4
		(($# == 0)) || "$dir/scripts/config" --file "$build/.config" $(printf -- '-e %s ' "$@")
	else
		read -r _ _ qemu cross fragments < <(grep -hE "^$1 " "$top"/configs/targets*)
		cross=${cross#-} qemu=$(ls "$top/kunit/qemu/$qemu.py" "$dir/tools/testing/kunit/qemu_configs/$qemu.py" 2>/dev/null | head -n 1)
		arch=$(sed -n "s/.*linux_arch='\(.*\)',/\1/p" "$qemu")
		(cd "$top/configs" && cat $(printf '%s.config ' $fragments)) >"$build/.config"
		sed -n "/kconfig=/,/''',/p" "$qemu" | grep -o 'CONFIG_[A-Z0-9_a-z]*=y' >>"$build/.config"
	fi
}

# Warnings, without where in the file
warnings() { { grep 'warning:' "$1" || true; } | sed -E 's/:[0-9]+(:[0-9]+)?:/:/' | sort -u; }

compile() { # LOG COMPILER CONFIGURATION...: what objects() says, for $arch; make's option $how
	local log=$1 cc=$2 arch cross
	shift 2
	configure "$@" >"$log" 2>&1 || return
	[[ $cc != gcc ]] || cc=${cross}gcc
	local make=(make -s -C "$dir" O="$build" ARCH="$arch" CROSS_COMPILE="$cross" CC="ccache $cc" HOSTCC="ccache gcc" W=1)
	"${make[@]}" olddefconfig >>"$log" 2>&1 && "${make[@]}" -j"$(nproc)" ${how-} $(objects) >>"$log" 2>&1
}
