// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: what is taken for a VPI.
 *
 * Bytes that look like a VPI are one if their MAC says so, under the cookie of a domain
 * in which the sender received: of the connection's own domain, or of another one in
 * which the sender's session did. Whatever else looks like one was made up by somebody
 * who knows a magic, or brought along from another process, and is data like any other:
 * nobody loses a connection for what a stranger uploads.
 */
#include "token.h"

/**
 * libra_received_any() - is there anything to look for in what the current process sends?
 * @ls: the socket
 *
 * VPIs of the socket's domain, whoever received them, or others that are its session's.
 * A domain that is gone and made again has those of before.
 *
 * Context: process context.
 */
bool libra_received_any(const struct libra_sock *ls)
{
	return READ_ONCE(libra_vpi_minted) &&
	       (READ_ONCE(ls->net->received) || libra_session_has());
}

/**
 * libra_received_id() - is this the id of a live VPI that the sender can have received?
 * @dom: of the socket by which it is sent
 * @id: of what may be a part of a VPI
 *
 * Nobody else knows one.
 *
 * Context: process context.
 */
bool libra_received_id(struct libra_domain *dom, u64 id)
{
	return libra_minted_is_live(dom, id) || libra_session_has_id(id);
}

/**
 * libra_received_vpi() - is this a VPI that the sender can have received?
 * @dom: of the socket by which it is sent
 * @vpi: LIBRA_VPI_SIZE bytes that begin with the magic
 *
 * Or one of the marks that go with it. Of another domain only if the current process's
 * session received there.
 *
 * Context: process context.
 */
bool libra_received_vpi(struct libra_domain *dom, const u8 vpi[LIBRA_VPI_SIZE])
{
	return libra_vpi_is_authentic(vpi, dom->cookie) || libra_session_has_vpi(vpi) ||
	       /* Or it is one that was tampered with. */
	       libra_received_id(dom, libra_vpi_id(vpi));
}
