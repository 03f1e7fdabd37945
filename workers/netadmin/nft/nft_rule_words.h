/*
 * The statements as they read in the rules of nft_rules.c, which alone includes this. Inside anchord-netadmin.
 */
#pragma once

#include "workers/netadmin/nft/nft_statement.h"

#define STATEMENT(name_, value_, last_, prefix_)            \
    {                                                       \
        nft_statement_##name_, (value_), (last_), (prefix_) \
    }
#define IIF(interface_)                  STATEMENT(input, NFT_INTERFACE_##interface_, 0, NULL)
#define IIF_NOT(interface_)              STATEMENT(not_input, NFT_INTERFACE_##interface_, 0, NULL)
#define OIF_NOT(interface_)              STATEMENT(not_output, NFT_INTERFACE_##interface_, 0, NULL)
#define LISTED                           STATEMENT(listed, 0, 0, NULL)
#define NOT_ALLOWED                      STATEMENT(not_allowed, 0, 0, NULL)
#define LIMITED_PORT                     STATEMENT(limited_port, 0, 0, NULL)
#define WITHIN_LIMIT                     STATEMENT(within_limit, 0, 0, NULL)
#define ENDED                            STATEMENT(ended, 0, 0, NULL)
#define OIF(interface_)                  STATEMENT(output, NFT_INTERFACE_##interface_, 0, NULL)
#define FROM(prefix_)                    STATEMENT(from_prefix, NFT_CMP_EQ, 0, &(prefix_))
#define FROM_NOT(prefix_)                STATEMENT(from_prefix, NFT_CMP_NEQ, 0, &(prefix_))
#define FROM_INNER                       STATEMENT(from_inner, 0, 0, NULL)
#define FROM_TYPE(type_)                 STATEMENT(address_type, NFTA_FIB_F_SADDR, type_, NULL)
#define TO(prefix_)                      STATEMENT(to_prefix, NFT_CMP_EQ, 0, &(prefix_))
#define TO_TYPE(type_)                   STATEMENT(address_type, NFTA_FIB_F_DADDR, type_, NULL)
#define NO_WAY_BACK                      STATEMENT(no_way_back, 0, 0, NULL)
#define TO_LOCAL_ON_IIF                  STATEMENT(address_type, NFTA_FIB_F_DADDR | NFTA_FIB_F_IIF, RTN_LOCAL, NULL)
#define TO_EXTERNAL                      STATEMENT(to_external, 0, 0, NULL)
#define FROM_SET(set_)                   STATEMENT(from_set, NFT_SET_##set_, 0, NULL)
#define FROM_NETWORK_IN(set_)            STATEMENT(from_network_in_set, NFT_SET_##set_, 0, NULL)
#define TO_SET(set_)                     STATEMENT(to_set, NFT_SET_##set_, 0, NULL)
#define TO_NETWORK_IN(set_)              STATEMENT(to_network_in_set, NFT_SET_##set_, 0, NULL)
#define TO_EXTERNAL_AT_FIRST             STATEMENT(originally_to_external, 0, 0, NULL)
#define PROTOCOL(protocol_)              STATEMENT(protocol, protocol_, 0, NULL)
#define ICMP                             STATEMENT(icmp, 0, 0, NULL)
#define ICMP_TYPES(first_, last_)        STATEMENT(icmp_types, first_, last_, NULL)
#define UDP_PORTS(source_, destination_) STATEMENT(ports, source_, destination_, NULL)
#define UDP_TO(port_)                    STATEMENT(destination_port, port_, 0, NULL)
#define TCP_SYN                          STATEMENT(tcp_syn, 0, 0, NULL)
#define TCP_FLAGS(flags_)                STATEMENT(tcp_flags, flags_, 0, NULL)
#define TTL(value_)                      STATEMENT(time_to_live, value_, 0, NULL)
#define CT_STATE(bits_)                  STATEMENT(state, bits_, 0, NULL)
#define CT_STATUS(bits_)                 STATEMENT(status, bits_, 0, NULL)
#define CT_REPLY                         STATEMENT(reply, 0, 0, NULL)
#define DNAT(protocol_)                  STATEMENT(dnat_by_map, PROTOCOL_INDEX_##protocol_, 0, NULL)
#define SNAT(scope_)                     STATEMENT(snat, NFT_EGRESS_##scope_, 0, NULL)
#define MASQUERADE                       STATEMENT(masquerade, 0, 0, NULL)
#define SET_TTL(value_)                  STATEMENT(set_time_to_live, value_, 0, NULL)
#define CLAMP_SEGMENTS                   STATEMENT(clamp_segments, 0, 0, NULL)
#define COUNT(refusal_)                  STATEMENT(count, REFUSAL_##refusal_, 0, NULL)
#define ORIGINAL_PORT_IN(set_)           STATEMENT(original_port_in, NFT_SET_##set_, 0, NULL)
#define END                              STATEMENT(end, 0, 0, NULL)
#define GO_TO(chain_)                    STATEMENT(go_to, NFT_CHAIN_##chain_, 0, NULL)
#define ACCEPT                           STATEMENT(verdict, NF_ACCEPT, 0, NULL)
#define DROP                             STATEMENT(verdict, NF_DROP, 0, NULL)
#define RESET                            STATEMENT(reject, NFT_REJECT_TCP_RST, 0, NULL)
#define REJECT(code_)                    STATEMENT(reject, NFT_REJECT_ICMP_UNREACH, code_, NULL)
