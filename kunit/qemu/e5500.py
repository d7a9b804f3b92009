# SPDX-License-Identifier: GPL-2.0-only
# 64-bit Book3E (e5500, nohash) on QEMU's ppce500 machine
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(linux_arch='powerpc',
			   kconfig='''
CONFIG_PPC64=y
CONFIG_CPU_BIG_ENDIAN=y
CONFIG_PPC_BOOK3E_64=y
CONFIG_E5500_CPU=y
CONFIG_PPC_QEMU_E500=y
CONFIG_SERIAL_8250=y
CONFIG_SERIAL_8250_CONSOLE=y''',
			   qemu_arch='ppc64',
			   kernel_path='vmlinux',
			   kernel_command_line='console=ttyS0 maxcpus=2 slab_debug=U,page->ptl',
			   extra_qemu_params=['-M', 'ppce500', '-cpu', 'e5500',
					      '-smp', '4', '-m', '1024'])
