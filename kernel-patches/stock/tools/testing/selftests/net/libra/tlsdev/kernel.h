/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the device needs of the kernel, with the names of 6.12, on stock kernels of any
 * version.
 */
#ifndef _LIBRA_TLSDEV_KERNEL_H
#define _LIBRA_TLSDEV_KERNEL_H

#include <linux/version.h>

#include <crypto/aes.h>
#include <crypto/gf128mul.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)

#define TLSDEV_NEWLINK_ARGS							\
	struct net *src_net, struct net_device *dev, struct nlattr *tb[],	\
	struct nlattr *data[], struct netlink_ext_ack *extack

#else

#include <crypto/gf128hash.h>
#include <linux/slab.h>
#include <net/rtnetlink.h>

#define TLSDEV_NEWLINK_ARGS							\
	struct net_device *dev, struct rtnl_newlink_params *params,		\
	struct netlink_ext_ack *extack

/* There are keys that only encrypt, which is all that GCM does with them. */
#define crypto_aes_ctx	aes_enckey
#define aes_expandkey	aes_prepareenckey

/* GHASH of one block is its product with the key. */
struct gf128mul_4k {
	struct ghash_key key;
};

static inline struct gf128mul_4k *gf128mul_init_4k_lle(const be128 *g)
{
	struct gf128mul_4k *t = kmalloc(sizeof(*t), GFP_KERNEL);

	if (t)
		ghash_preparekey(&t->key, (const u8 *)g);
	return t;
}

static inline void gf128mul_free_4k(struct gf128mul_4k *t)
{
	kfree_sensitive(t);
}

static inline void gf128mul_4k_lle(be128 *a, const struct gf128mul_4k *t)
{
	ghash(&t->key, (const u8 *)a, sizeof(*a), (u8 *)a);
}

#endif

#endif /* _LIBRA_TLSDEV_KERNEL_H */
