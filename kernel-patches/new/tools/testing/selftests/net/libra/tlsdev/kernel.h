/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the device needs of the kernel, and other kernels call otherwise. There, another
 * file takes the place of this one.
 */
#ifndef _LIBRA_TLSDEV_KERNEL_H
#define _LIBRA_TLSDEV_KERNEL_H

#include <crypto/aes.h>
#include <crypto/gf128mul.h>

/* The arguments of rtnl_link_ops.newlink. */
#define TLSDEV_NEWLINK_ARGS							\
	struct net *src_net, struct net_device *dev, struct nlattr *tb[],	\
	struct nlattr *data[], struct netlink_ext_ack *extack

#endif /* _LIBRA_TLSDEV_KERNEL_H */
