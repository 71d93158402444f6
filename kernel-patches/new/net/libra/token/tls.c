// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: an attached connection that kernel TLS encrypts.
 *
 * While a ULP is set up, but encrypts nothing yet, what is sent goes to TCP as before.
 * From TLS_TX on each send() is what the application wants to have encrypted, and a VPI
 * in it is replaced above the encryption. It has to be understood all the same: what the
 * application puts between the bytes of a payload, such as chunk sizes, may lie where an
 * anchor's bytes go on. So the parser is asked, as at the beginning of a connection; but
 * requests may be decrypted in user space, so it has to do without them (LIBRA_F_KTLS).
 *
 * Before that the handshake passed as it was, perhaps with a stream that no parser
 * understands (LIBRA_SEG_PASS): that is over then, and with it what was not anchored
 * because of this connection.
 *
 * What TLS_RX decrypts is shown to the parser from there on (LIBRA_F_KTLS_RX, rx_tls.c), if
 * that is done in software: of a device's TLS there is no read_sock().
 *
 * Anything else on top of what was attached is not understood (libra_sock_changed()).
 */
#include <net/tcp.h>
#include <net/tls.h>
#include <net/tls_prot.h>

#include "../send.h"
#include "token.h"
#include "tx.h"

/* The TLS on top of what was attached, and alone there, or NULL. Context as for libra_tls_of(). */
static const struct tls_context *libra_tls(const struct libra_sock *ls)
{
	const struct tls_context *tls = libra_tls_alone(ls->sk);

	if (!tls || tls->sk_proto != ls->prot || ls->sk->sk_disconnects != ls->disconnects)
		return NULL;
	return tls;
}

/**
 * libra_tls_is_under_way() - does the TLS of a socket do something already?
 * @sk: TCP socket
 *
 * Context: as for libra_tls_of().
 */
bool libra_tls_is_under_way(const struct sock *sk)
{
	const struct tls_context *tls = libra_tls_of(sk);

	return tls && (tls->tx_conf != TLS_BASE || tls->rx_conf != TLS_BASE);
}

/**
 * libra_tls_encrypts() - does kernel TLS encrypt what is sent?
 * @ls: attachment
 *
 * Always false if net.libra.tls is 0.
 *
 * Context: process context; under the socket lock, or in a call of the application.
 */
bool libra_tls_encrypts(const struct libra_sock *ls)
{
	const struct tls_context *tls;

	if (likely(!libra_sock_changed(ls)) || !READ_ONCE(ls->net->sysctl.tls))
		return false;
	tls = libra_tls(ls);
	return tls && libra_tls_transmits(tls);
}

/**
 * libra_tls_sends_plain() - is what is sent what TCP sends?
 * @ls: attachment of which libra_sock_changed()
 *
 * Context: under the socket lock.
 * Return: true while TLS on top of it encrypts nothing.
 */
bool libra_tls_sends_plain(const struct libra_sock *ls)
{
	const struct tls_context *tls = libra_tls(ls);

	return tls && tls->tx_conf == TLS_BASE;
}

/**
 * libra_tls_reads_plain() - is what is received what TCP received?
 * @ls: attachment of which libra_sock_changed()
 *
 * Context: under the socket lock.
 * Return: true while TLS on top of it decrypts nothing, nor encrypts.
 */
bool libra_tls_reads_plain(const struct libra_sock *ls)
{
	const struct tls_context *tls;

	if (!READ_ONCE(ls->net->sysctl.tls))
		return false;
	tls = libra_tls(ls);
	return tls && tls->rx_conf == TLS_BASE && tls->tx_conf == TLS_BASE;
}

/*
 * May VPIs of the socket's domain be sent on it, or received? Where TLS has done something
 * before us, nobody knows where in a message the streams are.
 */
static bool libra_tls_may_redeem(const struct libra_sock *ls)
{
	return !ls->stranger && ls->plain && !ls->under_tls &&
	       READ_ONCE(ls->mode) == LIBRA_MODE_TOKEN;
}

/* The other direction begins anew with its next call, and is known now. Under parse_lock. */
static void libra_tls_tell(struct libra_sock *ls)
{
	const struct tls_context *tls = tls_get_ctx(ls->sk);
	u32 flags = ls->call.ctx.flags;

	if (libra_tls_transmits(tls))
		flags |= LIBRA_F_KTLS;
	if (tls->rx_conf == TLS_SW)
		flags |= LIBRA_F_KTLS_RX;
	if (flags != ls->call.ctx.flags)
		WRITE_ONCE(ls->call.ctx.flags, flags);
}

/*
 * The number of a direction's first record, or NULL. TLS keeps what it was given; a
 * getsockopt() puts the number of the next one there.
 */
static const char *libra_tls_first(const union tls_crypto_context *keys)
{
	switch (keys->info.cipher_type) {
	case TLS_CIPHER_AES_GCM_128:
		return keys->aes_gcm_128.rec_seq;
	case TLS_CIPHER_AES_GCM_256:
		return keys->aes_gcm_256.rec_seq;
	case TLS_CIPHER_CHACHA20_POLY1305:
		return keys->chacha20_poly1305.rec_seq;
	case TLS_CIPHER_SM4_GCM:
		return keys->sm4_gcm.rec_seq;
	case TLS_CIPHER_SM4_CCM:
		return keys->sm4_ccm.rec_seq;
	default:
		return NULL;
	}
}

/*
 * Has this direction come to nothing yet? Otherwise nobody knows where in a message it is:
 * somebody read by splice(), or net.libra.tls was 0.
 */
static bool libra_tls_is_new(const union tls_crypto_context *keys,
			     const struct cipher_context *now)
{
	const char *first = libra_tls_first(keys);

	return first && !memcmp(first, now->rec_seq, TLS_CIPHER_AES_GCM_128_REC_SEQ_SIZE);
}

/**
 * libra_tls_note() - the parser is to know of both directions before it is shown more
 * @ls: attachment of which one direction has begun anew
 *
 * Context: process context.
 */
void libra_tls_note(struct libra_sock *ls)
{
	spin_lock_bh(&ls->parse_lock);
	libra_tls_tell(ls);
	spin_unlock_bh(&ls->parse_lock);
}

/*
 * A direction begins anew, where kernel TLS does. With the first one everything the parser
 * knew is of a handshake.
 */
static void libra_tls_begin(struct libra_sock *ls, struct libra_seg *seg)
{
	struct libra_ctx *ctx = &ls->call.ctx;

	spin_lock_bh(&ls->parse_lock);
	if (!(ctx->flags & (LIBRA_F_KTLS | LIBRA_F_KTLS_RX)))
		memset(ctx->scratch, 0, sizeof(ctx->scratch));
	libra_tls_tell(ls);
	spin_unlock_bh(&ls->parse_lock);
	libra_seg_free(seg);
	seg->goes_on = false;
	seg->left = 0;
	WRITE_ONCE(seg->state, LIBRA_SEG_ASK);
}

/**
 * libra_tls_decrypts() - is what is received to be read from kernel TLS?
 * @ls: attachment
 *
 * True as long as it may be of use. Always false if net.libra.tls is 0.
 *
 * Context: in a call of the application.
 */
bool libra_tls_decrypts(const struct libra_sock *ls)
{
	const struct tls_context *tls;

	if (likely(!libra_sock_changed(ls)))
		return false;
	if (READ_ONCE(ls->rx.tls))
		return READ_ONCE(ls->rx.seg.state) != LIBRA_SEG_PASS;
	if (!READ_ONCE(ls->net->sysctl.tls) || !libra_tls_may_redeem(ls))
		return false;
	tls = libra_tls(ls);
	return tls && tls->rx_conf == TLS_SW;
}

/**
 * libra_tls_ingress() - is it still kernel TLS that decrypts, in software?
 * @ls: attachment of which libra_tls_decrypts()
 *
 * Context: under the socket lock.
 */
bool libra_tls_ingress(const struct libra_sock *ls)
{
	const struct tls_context *tls = libra_tls(ls);

	return tls && tls->rx_conf == TLS_SW && READ_ONCE(ls->sk->sk_socket->ops)->read_sock;
}

/**
 * libra_tls_begin_ingress() - the incoming stream begins anew
 * @ls: attachment of which libra_tls_ingress()
 *
 * Context: process context, under the socket lock.
 */
void libra_tls_begin_ingress(struct libra_sock *ls)
{
	const struct tls_context *tls = tls_get_ctx(ls->sk);

	WRITE_ONCE(ls->rx.tls, true);
	libra_tls_begin(ls, &ls->rx.seg);
	if (!libra_tls_is_new(&tls->crypto_recv, &tls->rx))
		libra_seg_pass(ls, LIBRA_INGRESS, LIBRA_MIB_FB_RESYNC);
	if (ls->rx.msg) {
		libra_msg_put(ls->rx.msg);
		ls->rx.msg = NULL;
	}
	LIBRA_INC(ls->net, LIBRA_MIB_RX_TLS);
}

/**
 * libra_tls_egress() - what is the outgoing stream of a socket that is not as it was?
 * @ls: attachment of which libra_sock_changed(), under tx_lock
 *
 * If kernel TLS encrypts it, it begins anew here.
 *
 * Context: process context, without the socket lock.
 * Return: enum libra_tls_egress.
 */
enum libra_tls_egress libra_tls_egress(struct libra_sock *ls)
{
	struct libra_seg *seg = &ls->tx.seg;
	const struct tls_context *tls;
	struct sock *sk = ls->sk;

	if (!READ_ONCE(ls->net->sysctl.tls) && !ls->tx.tls)
		return LIBRA_TLS_FOREIGN;
	/* Another thread is in setsockopt(TCP_ULP), and not done yet. */
	if (!READ_ONCE(inet_csk(sk)->icsk_ulp_ops)) {
		lock_sock(sk);
		release_sock(sk);
	}
	tls = libra_tls(ls);
	if (!tls)
		return LIBRA_TLS_FOREIGN;
	if (ls->tx.tls) {
		libra_tls_note(ls);
		return LIBRA_TLS_ENCRYPTS;
	}
	if (!libra_tls_transmits(tls))
		return tls->tx_conf == TLS_BASE ? LIBRA_TLS_IDLE : LIBRA_TLS_FOREIGN;
	/* A VPI of which a part went as it is. */
	if (!libra_tls_may_redeem(ls) || ls->tx.redeemed || ls->tx.owed ||
	    !libra_tls_is_new(&tls->crypto_send, &tls->tx))
		return LIBRA_TLS_FOREIGN;

	WRITE_ONCE(ls->tx.tls, true);
	libra_tls_begin(ls, seg);
	ls->tx.prefix = 0;
	ls->tx.window = LIBRA_WINDOW_MIN;
	libra_passing_over(ls);
	LIBRA_INC(ls->net, LIBRA_MIB_TX_TLS);
	return LIBRA_TLS_ENCRYPTS;
}

/**
 * libra_tls_take_type() - a send() may say that it is application data
 * @sk: TCP socket, LIBRA_TLS_ENCRYPTS
 * @msg: of the call; nothing is left of its control messages if that was all they said
 *
 * As GnuTLS does with each. TLS ends an open record first, and refuses MSG_MORE.
 *
 * Context: process context, under tx_lock, without the socket lock.
 */
void libra_tls_take_type(struct sock *sk, struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	bool data = false;

	if (likely(!msg->msg_controllen) || msg->msg_control_is_user || msg->msg_flags & MSG_MORE)
		return;
	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg) || cmsg->cmsg_level != SOL_TLS ||
		    cmsg->cmsg_type != TLS_SET_RECORD_TYPE ||
		    cmsg->cmsg_len < CMSG_LEN(sizeof(u8)) ||
		    *(u8 *)CMSG_DATA(cmsg) != TLS_RECORD_TYPE_DATA)
			return;
		data = true;
	}
	if (!data)
		return;
	libra_tls_end_record(sk);
	msg->msg_control = NULL;
	msg->msg_controllen = 0;
}

static int libra_tls_set_zero_copy(struct sock *sk, unsigned int on)
{
	return READ_ONCE(sk->sk_prot)->setsockopt(sk, SOL_TLS, TLS_TX_ZEROCOPY_RO,
						  KERNEL_SOCKPTR(&on), sizeof(on));
}

/**
 * libra_tls_begin_zero_copy() - let a device that encrypts read pages where they lie
 * @ls: attachment of which tx.tls, under tx_lock
 *
 * When a packet is sent again it is encrypted again, so TLS copies what is spliced, unless
 * the application promised that nobody writes to it (TLS_TX_ZEROCOPY_RO). For what we
 * splice that is so: windows are in memory of ours that nobody else has, and of what was
 * received, pages that their sender may still write are never anchored (anchor.c). For
 * what the application splices it is not, but that waits for tx_lock until
 * libra_tls_end_zero_copy(). An application that asks or sets the option meanwhile, in
 * another thread, may find ours.
 *
 * Context: process context, takes the socket lock.
 * Return: true if it has to be ended: neither done by the application, nor needless.
 */
bool libra_tls_begin_zero_copy(struct libra_sock *ls)
{
	const struct tls_context *tls = tls_get_ctx(ls->sk);

	return tls->tx_conf == TLS_HW && !tls->zerocopy_sendfile &&
	       !libra_tls_set_zero_copy(ls->sk, 1);
}

/**
 * libra_tls_end_zero_copy() - what is spliced from here on is the application's
 * @ls: attachment, libra_tls_begin_zero_copy() was true
 *
 * Context: process context, takes the socket lock.
 */
void libra_tls_end_zero_copy(struct libra_sock *ls)
{
	libra_tls_set_zero_copy(ls->sk, 0);
}
