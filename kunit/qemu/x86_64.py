# SPDX-License-Identifier: GPL-2.0-only
# x86_64, 4 possible CPUs, 2 online
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(linux_arch='x86_64',
			   kconfig='''
CONFIG_SERIAL_8250=y
CONFIG_SERIAL_8250_CONSOLE=y''',
			   qemu_arch='x86_64',
			   kernel_path='arch/x86/boot/bzImage',
			   kernel_command_line='console=ttyS0 maxcpus=2 slab_debug=U,page->ptl',
			   extra_qemu_params=['-bios', 'qboot.rom',
					      '-smp', '4', '-m', '2048'])
