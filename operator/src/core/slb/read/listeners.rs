//! Annotations about listeners.

use crds::v1alpha1::{
    SlbCertificate, SlbClientAddresses, SlbConnectionDrain, SlbForwardedHeader, SlbHealthCheck,
    SlbHealthCheckMethod, SlbHealthCheckType, SlbHostCertificate, SlbInsertedCookie, SlbListener,
    SlbProtocol, SlbScheduler, SlbServerCookie, SlbSessionPersistence, SlbSettings, SlbStatusCodes,
    SlbTimeouts, Switch,
};
use kube::core::Duration;

use super::Reader;

impl Reader<'_> {
    pub(super) fn listeners(&mut self, settings: &mut SlbSettings) {
        settings.listeners = self.protocols();
        settings.certificate = self.certificate();
        settings.tls_policy = self.word("tls-cipher-policy");
        settings.http2 = self.switch("http2-enabled");
        settings.proxy_protocol = self.switch("proxy-protocol");
        settings.forwarded_headers = self.forwarded_headers();
        let schedulers = [
            ("rr", SlbScheduler::RoundRobin),
            ("wrr", SlbScheduler::WeightedRoundRobin),
            ("sch", SlbScheduler::SourceHash),
            ("tch", SlbScheduler::TupleHash),
            ("qch", SlbScheduler::QuicHash),
        ];
        settings.scheduler = self.one_of("scheduler", &schedulers);
        settings.session_persistence = self.session_persistence();
        settings.connection_drain = self.connection_drain();
        settings.timeouts = self.timeouts();
        settings.client_addresses = self.client_addresses();
        settings.health_check = self.health_check();
    }

    pub(in crate::core) fn seconds(&mut self, name: &str) -> Option<Duration> {
        let seconds = u64::try_from(self.number(name)?).ok()?;
        Some(Duration::from(std::time::Duration::from_secs(seconds)))
    }

    fn protocols(&mut self) -> Option<Vec<SlbListener>> {
        let forwards = self.take("forward-port");
        let said = self.take("protocol-port");
        let Some(said) = said else {
            if forwards.is_some() {
                self.leave(
                    "forward-port",
                    "it is dead without protocol-port: only an HTTP listener forwards.",
                );
            }
            return None;
        };
        let listeners: Option<Vec<SlbListener>> = said.split(',').map(listener).collect();
        let Some(mut listeners) = listeners else {
            self.leave("protocol-port", &format!("\"{said}\" cannot be read (protocol:port, of tcp, udp, http and https, without blanks), and keeps the cloud controller manager from doing anything for the Service, backends included."));
            return None;
        };
        for pair in forwards.into_iter().flat_map(|said| said.split(',')) {
            let ports = pair.split_once(':');
            let ports = ports
                .and_then(|(from, to)| Some((from.parse::<i32>().ok()?, to.parse::<i32>().ok()?)));
            let Some((from, to)) = ports else {
                self.leave("forward-port", &format!("\"{pair}\" cannot be read, and keeps the cloud controller manager from doing anything for the Service, backends included."));
                continue;
            };
            let http = listeners
                .iter_mut()
                .find(|one| one.port == from && one.protocol == SlbProtocol::Http);
            match http {
                Some(listener) => listener.redirect_to = Some(to),
                None => self.leave(
                    "forward-port",
                    &format!("port {from} has no HTTP listener, so it forwards nothing."),
                ),
            }
        }
        listeners.sort_by_key(|listener| listener.port);
        Some(listeners)
    }

    fn certificate(&mut self) -> Option<SlbCertificate> {
        let hosts = self.take("domain-extensions");
        let id = self.take("cert-id");
        let Some(id) = id else {
            if hosts.is_some() {
                self.leave(
                    "domain-extensions",
                    "it goes with cert-id, which is not there.",
                );
            }
            return None;
        };
        let pairs = hosts.into_iter().flat_map(|said| said.split(','));
        let hosts: Vec<SlbHostCertificate> = pairs
            .filter_map(|pair| pair.split_once(':'))
            .map(|(host, id)| SlbHostCertificate {
                host: host.trim().to_owned(),
                id: id.trim().to_owned(),
            })
            .collect();
        Some(SlbCertificate {
            id: id.to_owned(),
            hosts: (!hosts.is_empty()).then_some(hosts),
        })
    }

    fn forwarded_headers(&mut self) -> Option<Vec<SlbForwardedHeader>> {
        let switches = [
            (
                self.switch("xforwardedfor-proto"),
                SlbForwardedHeader::Protocol,
            ),
            (
                self.switch("xforwardedfor-slbport"),
                SlbForwardedHeader::ListenerPort,
            ),
            (
                self.switch("xforwardedfor-clientsrcport"),
                SlbForwardedHeader::ClientPort,
            ),
        ];
        let says = switches.iter().any(|(switch, _)| switch.is_some());
        let on = switches.into_iter();
        let on = on.filter(|(switch, _)| *switch == Some(Switch::Enabled));
        says.then(|| on.map(|(_, header)| header).collect())
    }

    fn session_persistence(&mut self) -> Option<SlbSessionPersistence> {
        let source_address = self.seconds("persistence-timeout");
        let on = self.switch("sticky-session") == Some(Switch::Enabled);
        let kinds = [("insert", true), ("server", false)];
        let inserted = self.one_of("sticky-session-type", &kinds);
        let timeout = self.seconds("cookie-timeout");
        let cookie = self.take("cookie").map(str::to_owned);
        for (name, wanted) in [
            ("sticky-session-type", on),
            ("cookie-timeout", on && inserted == Some(true)),
            ("cookie", on && inserted == Some(false)),
        ] {
            if !wanted && self.peek(name).is_some() {
                self.leave(
                    name,
                    "it is dead without sticky-session on and the type that it belongs to.",
                );
            }
        }
        let of = |kind: bool| on && inserted == Some(kind);
        let persistence = SlbSessionPersistence {
            source_address: source_address
                .filter(|limit| std::time::Duration::from(*limit).as_secs() > 0),
            inserted_cookie: timeout
                .filter(|_| of(true))
                .map(|timeout| SlbInsertedCookie { timeout }),
            server_cookie: cookie
                .filter(|_| of(false))
                .map(|name| SlbServerCookie { name }),
        };
        if on && persistence.inserted_cookie.is_none() && persistence.server_cookie.is_none() {
            self.leave("sticky-session", "it needs a type, and with insert cookie-timeout, with server cookie: the API refuses it without.");
        }
        let says = persistence.source_address.is_some()
            || persistence.inserted_cookie.is_some()
            || persistence.server_cookie.is_some();
        says.then_some(persistence)
    }

    fn connection_drain(&mut self) -> Option<SlbConnectionDrain> {
        let on = self.switch("connection-drain") == Some(Switch::Enabled);
        let timeout = self.seconds("connection-drain-timeout");
        if timeout.is_some() && !on {
            self.leave(
                "connection-drain-timeout",
                "it is dead without connection-drain on.",
            );
        }
        if on && timeout.is_none() {
            self.leave("connection-drain", "it needs connection-drain-timeout.");
        }
        timeout
            .filter(|_| on)
            .map(|timeout| SlbConnectionDrain { timeout })
    }

    fn timeouts(&mut self) -> Option<SlbTimeouts> {
        let timeouts = SlbTimeouts {
            established: self.seconds("established-timeout"),
            idle: self.seconds("idle-timeout"),
            request: self.seconds("request-timeout"),
        };
        let says =
            timeouts.established.is_some() || timeouts.idle.is_some() || timeouts.request.is_some();
        says.then_some(timeouts)
    }

    fn client_addresses(&mut self) -> Option<SlbClientAddresses> {
        let on = self.switch("acl-status") == Some(Switch::Enabled);
        let allow = self.one_of("acl-type", &[("white", true), ("black", false)]);
        let lists = self.take("acl-id");
        if !on {
            for name in ["acl-type", "acl-id"] {
                if self.peek(name).is_some() {
                    self.leave(
                        name,
                        "it is dead without acl-status on: everybody may connect.",
                    );
                }
            }
            return None;
        }
        let (Some(allow), Some(lists)) = (allow, lists) else {
            self.leave(
                "acl-status",
                "it needs acl-type and acl-id: the API refuses it without.",
            );
            return None;
        };
        let lists: Vec<String> = lists.split(',').map(|id| id.trim().to_owned()).collect();
        let (allow_acls, deny_acls) = match allow {
            true => (Some(lists), None),
            false => (None, Some(lists)),
        };
        Some(SlbClientAddresses {
            allow_acls,
            deny_acls,
        })
    }

    /// HTTP listeners have a flag, the others a switch.
    fn health_check(&mut self) -> Option<SlbHealthCheck> {
        let flag = self.switch("health-check-flag");
        let switch = self.switch("health-check-switch");
        let types = [
            ("tcp", SlbHealthCheckType::Tcp),
            ("http", SlbHealthCheckType::Http),
        ];
        let type_ = self.one_of("health-check-type", &types);
        let path = self.take("health-check-uri").map(str::to_owned);
        let host = self
            .take("health-check-domain")
            .filter(|host| *host != "$_ip");
        let host = host.map(str::to_owned);
        let methods = [
            ("head", SlbHealthCheckMethod::Head),
            ("get", SlbHealthCheckMethod::Get),
        ];
        let method = self.one_of("health-check-method", &methods);
        let status_codes = self.status_codes();
        let port = self
            .number("health-check-connect-port")
            .filter(|port| *port != -520);
        let interval = self.seconds("health-check-interval");
        let connect = self.seconds("health-check-connect-timeout");
        let timeout = self.seconds("health-check-timeout");
        if let (Some(one), Some(other)) = (connect, timeout)
            && one != other
        {
            self.note("health-check-connect-timeout", "TCP and UDP listeners have another time limit than HTTP ones; settings have one for all, that of HTTP.");
        }
        let timeout = timeout.or(connect);
        let healthy_threshold = self.number("healthy-threshold");
        let unhealthy_threshold = self.number("unhealthy-threshold");
        let http = type_ == Some(SlbHealthCheckType::Http) || flag == Some(Switch::Enabled);
        let off = !http && switch == Some(Switch::Disabled);
        let says_more = path.is_some()
            || port.is_some()
            || interval.is_some()
            || timeout.is_some()
            || healthy_threshold.is_some()
            || unhealthy_threshold.is_some();
        if off || (flag.is_none() && switch.is_none() && type_.is_none() && !says_more) {
            return off.then_some(SlbHealthCheck {
                type_: SlbHealthCheckType::None,
                path: None,
                host: None,
                method: None,
                status_codes: None,
                port: None,
                interval: None,
                timeout: None,
                healthy_threshold: None,
                unhealthy_threshold: None,
            });
        }
        Some(SlbHealthCheck {
            type_: if http {
                SlbHealthCheckType::Http
            } else {
                SlbHealthCheckType::Tcp
            },
            path: path.filter(|_| http),
            host: host.filter(|_| http),
            method: method.filter(|_| http),
            status_codes: status_codes.filter(|_| http),
            port,
            interval,
            timeout,
            healthy_threshold,
            unhealthy_threshold,
        })
    }

    pub(in crate::core) fn status_codes(&mut self) -> Option<Vec<SlbStatusCodes>> {
        let name = "health-check-httpcode";
        let said = self.take(name)?;
        let known = [
            ("http_2xx", SlbStatusCodes::Success),
            ("http_3xx", SlbStatusCodes::Redirection),
            ("http_4xx", SlbStatusCodes::ClientError),
            ("http_5xx", SlbStatusCodes::ServerError),
        ];
        let codes: Option<Vec<SlbStatusCodes>> = said
            .split(',')
            .map(|word| {
                let mut known = known.iter();
                known
                    .find(|(code, _)| *code == word.trim())
                    .map(|(_, code)| *code)
            })
            .collect();
        if codes.is_none() {
            self.leave(
                name,
                &format!("\"{said}\" is no list of http_2xx, http_3xx, http_4xx and http_5xx."),
            );
        }
        codes
    }
}

fn listener(pair: &str) -> Option<SlbListener> {
    let (protocol, port) = pair.split_once(':')?;
    let protocol = match protocol {
        "tcp" => SlbProtocol::Tcp,
        "udp" => SlbProtocol::Udp,
        "http" => SlbProtocol::Http,
        "https" => SlbProtocol::Https,
        _ => return None,
    };
    Some(SlbListener {
        port: port.parse().ok()?,
        protocol,
        redirect_to: None,
    })
}
