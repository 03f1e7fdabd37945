/* compose_files/bad and what is wrong with each: code and place, in the order of the rules. For test_doctor_files.c. */
#pragma once

static const struct {
    const char *name;
    const char *expected;
} bad_files[] = {
    {"attach.json", "ANC0721 services.identity.cap_add\n"
                    "ANC0745 services.identity.labels\n"},
    {"another-project.json", "ANC0749 services.network-anchor.environment\n"},
    {"anchor-on-the-host.json", "ANC0713 services.network-anchor.network_mode\n"},
    {"docker-socket.json", "ANC0726 services.network-anchor.volumes\n"
                           "ANC0728 services.web.volumes\n"},
    {"eth0-by-chance.json", "ANC0714 services.network-anchor.environment\n"},
    {"gateway-pinned.json", "ANC0737 services.dovecot-anchor.environment.ANCHORD_GATEWAY_IP\n"
                            "ANC0737 services.nginx-anchor.environment.ANCHORD_GATEWAY_IP\n"
                            "ANC0737 services.postfix-anchor.environment.ANCHORD_GATEWAY_IP\n"
                            "ANC0741 services.nginx-anchor.labels\n"
                            "ANC0741 services.postfix-anchor.labels\n"},
    {"held.json", "ANC0719 services.network-anchor.sysctls\n"
                  "ANC0743 services.network-anchor.network_mode\n"
                  "ANC0744 services.network-anchor.volumes\n"},
    {"internal-transit-with-service-anchors.json", "ANC0705 networks.transit.internal\n"},
    {"internal-transit.json", "ANC0311 networks.transit.internal\n"},
    {"labels.json", "ANC0712 services.dns.labels.anchord.expose.when\n"
                    "ANC0111 services.imap.labels.anchord.expsoe\n"
                    "ANC0101 services.smtp.labels.anchord.expose\n"
                    "ANC0110 services.web.labels.anchord.allow\n"},
    {"lan-is-a-bridge.json", "ANC0715 networks.lan.driver\n"
                             "ANC0208 services.network-anchor.networks.lan.driver_opts\n"},
    {"lan-made-here.json", "ANC0302 networks.lan.ipam.config\n"
                           "ANC0207 services.network-anchor.networks.lan\n"},
    {"lan-without-parent.json", "ANC0749 services.web.deploy.labels.anchord.expose\n"
                                "ANC0750 networks.lan.driver_opts\n"
                                "ANC0720 services.network-anchor.user\n"},
    {"lan.json", "ANC0713 services.network-anchor.environment.ANCHORD_EXT_NETWORK\n"},
    {"long-name.json", "ANC0746 services.a-service-whose-name-goes-on-for-longer-…\n"},
    {"managed.json", "ANC0742 services.network-anchor.environment.ANCHORD_MANAGED_SA_LABELS\n"},
    {"never-exposed.json", "ANC0104 services.dns.networks\n"
                           "ANC0709 services.imap.network_mode\n"
                           "ANC0709 services.smtp.network_mode\n"
                           "ANC0709 services.web.network_mode\n"},
    {"no-gateway-of-ipv6.json", "ANC0304 services.network-anchor.sysctls\n"
                                "ANC0706 networks.transit.ipam.config\n"},
    {"no-gateway.json", "ANC0312 networks.transit.ipam.config\n"
                        "ANC0706 networks.transit.ipam.config\n"},
    {"no-such-namespace.json", "ANC0708 services.web.network_mode\n"},
    {"nothing-exposed.json", "ANC0749 services.web.environment.anchord.expose\n"},
    {"on-the-lan-alone.json", "ANC0716 services.network-anchor.networks\n"
                              "ANC0210 services.network-anchor.networks.lan.driver_opts\n"},
    {"ports-left.json", "ANC0703 services.cron.networks\n"
                        "ANC0702 services.web.ports\n"
                        "ANC0704 networks.transit.driver_opts\n"},
    {"privileged.json", "ANC0722 services.network-anchor.privileged\n"
                        "ANC0725 services.network-anchor.restart\n"},
    {"proxy-out-of-reach.json", "ANC0726 services.network-anchor.networks\n"},
    {"proxy.json", "ANC0729 services.socket-proxy.environment.CONTAINERS\n"
                   "ANC0729 services.socket-proxy.environment.NETWORKS\n"
                   "ANC0727 services.network-anchor.volumes\n"
                   "ANC0731 services.socket-proxy.ports\n"
                   "ANC0732 services.socket-proxy.image\n"
                   "ANC0730 services.socket-proxy.environment.POST\n"
                   "ANC0730 services.socket-proxy.environment.EXEC\n"},
    {"rebinders.json", "ANC0739 services.external-rebinder.environment.ANCHORD_FOLLOW_TARGET\n"
                       "ANC0738 services.external-rebinder-2.environment.ANCHORD_FOLLOW_TARGET\n"
                       "ANC0740 services.wrap-rebinder\n"},
    {"rights.json", "ANC0722 services.files-anchor.cap_add\n"
                    "ANC0724 services.files-anchor.tmpfs\n"
                    "ANC0725 services.files-anchor.restart\n"
                    "ANC0721 services.network-anchor.cap_add\n"
                    "ANC0723 services.network-anchor.tmpfs\n"
                    "ANC0720 services.web-anchor.cap_add\n"},
    {"role-forgotten.json", "ANC0733 services.web-anchor.command\n"},
    {"same-port-twice.json", "ANC0710 services.dns.deploy.replicas\n"
                             "ANC0102 services.smtp.labels.anchord.expose\n"
                             "ANC0711 services.web.labels.anchord.expose\n"
                             "ANC0106 services.web.labels.anchord.expose.when\n"},
    {"second-network.json", "ANC0703 services.database.networks\n"
                            "ANC0707 services.smtp.networks.transit\n"
                            "ANC0310 services.web.networks.transit\n"},
    {"service-anchors.json", "ANC0727 services.web-anchor.volumes\n"
                             "ANC0734 services.files.depends_on\n"
                             "ANC0736 services.network-anchor.networks.transit\n"
                             "ANC0735 services.files-anchor.healthcheck\n"
                             "ANC0734 services.web.depends_on\n"
                             "ANC0736 services.network-anchor.networks.transit\n"},
    {"two-network-anchors.json", "ANC0717 services.network-anchor-2.environment\n"
                                 "ANC0718 services.network-anchor-2.networks\n"},
    {"variables.json", "ANC0747 services.network-anchor.environment.ANCHORD_POLL_INTERVAL\n"
                       "ANC0748 services.network-anchor.environment.ANCHORD_GATEWAY_IP\n"
                       "ANC0748 services.network-anchor.environment.ANCHORD_EXT_NETWROK\n"},
};
