/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: counters. One list makes the enum, the names in /proc/net/libra_stat
 * and the table in Documentation/networking/libra.rst, which tests compare.
 */
#ifndef _NET_LIBRA_MIB_H
#define _NET_LIBRA_MIB_H

#include <linux/types.h>

/*
 * X(enumerator, name in /proc)
 *
 * A fallback is a decision for a native copy, a fail-stop an aborted
 * connection; both are counted by reason.
 */
#define LIBRA_MIB_LIST(X)						\
	X(ATTACH,		"attach")				\
	X(ATTACH_REFUSED,	"attach_refused")			\
	/* payload bytes read by the application */			\
	X(RX_PAYLOAD,		"rx_payload_bytes")			\
	/* ... of these: kept in the kernel */				\
	X(RX_ANCHORED,		"rx_anchored_bytes")			\
	/* ... bytes written to user memory for them, VPIs included */	\
	X(RX_COPIED,		"rx_copied_bytes")			\
	/* payload bytes the application sent */			\
	X(TX_PAYLOAD,		"tx_payload_bytes")			\
	/* ... of these: sent from anchors */				\
	X(TX_REDEEMED,		"tx_redeemed_bytes")			\
	/* ... bytes read from user memory for them, VPIs included */	\
	X(TX_COPIED,		"tx_copied_bytes")			\
	/* connections of which kernel TLS decrypts what is read */	\
	X(RX_TLS,		"rx_tls_streams")			\
	/* connections of which kernel TLS encrypts what is searched */	\
	X(TX_TLS,		"tx_tls_streams")			\
	X(MINTED,		"anchors_minted")			\
	X(REDEEMED,		"anchors_redeemed")			\
	X(MADE_UP,		"vpis_made_up")				\
	X(EXPIRED,		"anchors_expired")			\
	X(RECLAIMED,		"anchors_reclaimed")			\
	/* payload bytes that were read in mode dry-run */		\
	X(DRY_RUN,		"rx_dry_run_bytes")			\
	/* ... of these: would have been kept */			\
	X(ANCHORABLE,		"rx_anchorable_bytes")			\
	/* messages that were copied, and looked for on their way out */ \
	X(CHECKED,		"checked_messages")			\
	/* ... of these: the process sent something else instead */	\
	X(CHECK_ALTERED,	"checked_altered")			\
	/* ... of these: did not leave, or not to their end */		\
	X(CHECK_UNSENT,		"checked_unsent")			\
	/* messages that were not checked: too many, or no memory */	\
	X(CHECK_SKIPPED,	"checked_skipped")			\
	X(PARSER_CALLS,		"parser_calls")				\
	X(PARSER_BAD,		"parser_bad_answers")			\
	/* fallback: what is at hand is not worth an anchor */		\
	X(FB_SMALL,		"fallback_small")			\
	/* fallback: max_socket_bytes, max_netns_bytes */		\
	X(FB_SOCKET_LIMIT,	"fallback_socket_limit")		\
	X(FB_NETNS_LIMIT,	"fallback_netns_limit")			\
	/* fallback: the module's parameter max_bytes */		\
	X(FB_MACHINE_LIMIT,	"fallback_machine_limit")		\
	X(FB_MEMCG,		"fallback_memcg_pressure")		\
	X(FB_NOMEM,		"fallback_nomem")			\
	/* fallback: a socket that would send it is not understood */	\
	X(FB_EGRESS_PASS,	"fallback_egress_pass")			\
	/* fallback: VPIs of earlier messages did not come back */	\
	X(FB_UNMET,		"fallback_unmet")			\
	/* fallback: the client closed in the middle of the message */	\
	X(FB_MSG_DEAD,		"fallback_message_over")		\
	/* fallback: what else the process could send it by is looked for */ \
	X(FB_JOINING,		"fallback_joining")			\
	/* fallback: net.libra.enabled is 0 */				\
	X(FB_DISABLED,		"fallback_disabled")			\
	/* fallback: a connection that a policy names is not attached */ \
	X(FB_UNATTACHED,	"fallback_unattached")			\
	/* fallback: the message is of the sample that is checked */	\
	X(FB_CHECKED,		"fallback_checked")			\
	/* fallback: the read wants what only the native path gives */	\
	X(FB_FLAGS,		"fallback_flags")			\
	/* fallback for good: the parser said so */			\
	X(FB_PARSER,		"fallback_parser_pass")			\
	X(FB_PARSER_GONE,	"fallback_parser_gone")			\
	X(FB_PARSER_BAD,	"fallback_parser_bad_answer")		\
	X(FB_HEADER,		"fallback_header_too_long")		\
	/* fallback for good: bytes passed that the parser did not see */ \
	X(FB_RESYNC,		"fallback_resync")			\
	X(FB_URGENT,		"fallback_urgent_data")			\
	X(FB_ULP,		"fallback_ulp")				\
	/* fallback for good: the stream was under way at attach */	\
	X(FB_ADOPTED,		"fallback_adopted")			\
	/* fallback for good: no policy names it, but its process has VPIs */ \
	X(FB_STRANGER,		"fallback_stranger")			\
	X(FB_TX_NATIVE,		"fallback_tx_native")			\
	/* lazy mode: bytes read into payload memory and left in the kernel */ \
	X(LAZY_RX,		"lazy_rx_bytes")			\
	/* ... bytes that such reads copied */				\
	X(LAZY_RX_COPIED,	"lazy_rx_copied_bytes")			\
	/* lazy mode: bytes sent from anchors */			\
	X(LAZY_TX,		"lazy_tx_bytes")			\
	/* ... bytes that such sends copied */				\
	X(LAZY_TX_COPIED,	"lazy_tx_copied_bytes")			\
	/* lazy mode: pages that were filled because somebody looked */	\
	X(LAZY_FILLS_USER,	"lazy_fills_user")			\
	X(LAZY_FILLS_KERNEL,	"lazy_fills_kernel")			\
	/* lazy mode: pages of freed blocks that were given back */	\
	X(LAZY_FREED,		"lazy_freed_pages")			\
	/* lazy mode: pages filled because their anchor kept too much */ \
	X(LAZY_COMPACTED,	"lazy_compacted_pages")			\
	/* lazy mode: looks for memory that is kept for nothing */	\
	X(LAZY_LOOKS,		"lazy_looks")				\
	/* lazy mode: pages unmapped because something was received into them */ \
	X(LAZY_UNMAPS,		"lazy_unmaps")				\
	/* fallback: the page is held by somebody; it was written where it is */ \
	X(LAZY_PINNED,		"fallback_lazy_pinned")			\
	/* fallback: others may still write these bytes (sendfile, vmsplice) */ \
	X(LAZY_SHARED_FRAG,	"fallback_lazy_shared_frag")		\
	/* fallback: the buffers hold much more memory than bytes */	\
	X(LAZY_SPARSE,		"fallback_lazy_sparse")			\
	/* fallback: max_process_bytes */				\
	X(LAZY_PROCESS_LIMIT,	"fallback_lazy_process_limit")		\
	/* fallback: net.libra.lazy is 0 */				\
	X(LAZY_DISABLED,	"fallback_lazy_disabled")		\
	/* fallback: runs of which the like was looked at before */	\
	X(LAZY_READ,		"fallback_lazy_read")			\
	/* fallback: the process has locked memory */			\
	X(LAZY_LOCKED,		"fallback_lazy_locked")			\
	/* fail-stop: a VPI that names no live anchor of the domain */	\
	X(FS_UNKNOWN,		"fail_stop_unknown_vpi")		\
	/* fail-stop: memory behind a VPI without the VPI */	\
	X(FS_STALE,		"fail_stop_stale_payload")		\
	/* fail-stop: the bytes behind a VPI are not those it was minted for */ \
	X(FS_ALTERED,		"fail_stop_altered_payload")		\
	/* fail-stop: a VPI in metadata or in an unsegmented stream */	\
	X(FS_MISPLACED,		"fail_stop_misplaced_vpi")		\
	/* fail-stop: the message or the connection ended inside a VPI */ \
	X(FS_CUT,		"fail_stop_cut_vpi")			\
	/* fail-stop: half an anchor was sent, and then something else */ \
	X(FS_REMAINDER,		"fail_stop_remainder")			\
	/* fail-stop: a VPI where it cannot be redeemed (MSG_ZEROCOPY, OOB) */ \
	X(FS_FLAGS,		"fail_stop_flags")			\
	/* fail-stop: the memory for the VPI vanished during the read */ \
	X(FS_FAULT,		"fail_stop_fault")

enum libra_mib {
#define X(e, name) LIBRA_MIB_##e,
	LIBRA_MIB_LIST(X)
#undef X
	LIBRA_MIB_MAX
};

#define LIBRA_MIB_FS_FIRST	LIBRA_MIB_FS_UNKNOWN
#define LIBRA_MIB_FS_LAST	LIBRA_MIB_FS_FAULT

struct libra_counters {
	u64 count[LIBRA_MIB_MAX];
};

extern const char *const libra_mib_names[LIBRA_MIB_MAX];

#endif /* _NET_LIBRA_MIB_H */
