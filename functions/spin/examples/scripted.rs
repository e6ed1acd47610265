//! A component that does what its address says: the host's tests play with it what a function may do, and may do wrong.
#[cfg(target_arch = "wasm32")]
mod component {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use bytes::Bytes;
    use spin_sdk::http::{FullBody, Response};
    use spin_sdk::http_service;
    use tidegate_function::{Answer, Condition, Fetched, Header, Input, Loaded, Output, Piece, Request, Stored, Turn, World};

    mod bindings {
        #![allow(unsafe_code, unreachable_pub, reason = "generated")]
        spin_sdk::wit_bindgen::generate!({ path: "wit", world: "driven", runtime_path: "::spin_sdk::wit_bindgen::rt" });

        struct Script;

        impl exports::tidegate::functions::turns::Guest for Script {
            fn turn(message: Vec<u8>) -> Vec<u8> {
                super::turn(message).say()
            }
        }

        export!(Script);
    }

    /// The way in for other hosts, which every component has.
    #[http_service]
    async fn serve(_: spin_sdk::http::Request) -> anyhow::Result<Response<FullBody<Bytes>>> {
        Ok(Response::new(FullBody::new(Bytes::from("driven by turns"))))
    }

    static CALLS: AtomicU32 = AtomicU32::new(0);

    thread_local! {
        static BEGUN: RefCell<BTreeMap<u32, Request>> = const { RefCell::new(BTreeMap::new()) };
    }

    fn turn(message: Vec<u8>) -> Output {
        match Turn::read(message) {
            Some(Turn::Begin { call, world, request }) => {
                let output = begin(&request, &world);
                if !matches!(output, Output::Answer(_)) {
                    BEGUN.with_borrow_mut(|begun| begun.insert(call, request));
                }
                output
            }
            Some(Turn::Go { call, input, .. }) => {
                let request = BEGUN.with_borrow_mut(|begun| begun.remove(&call)).expect("a call that has begun");
                go_on(&request, input)
            }
            Some(Turn::Forget { call }) => {
                BEGUN.with_borrow_mut(|begun| begun.remove(&call));
                answer(204, "", "")
            }
            None => panic!("not a turn"),
        }
    }

    /// The first word of the path, and the rest.
    fn script(request: &Request) -> (&str, &str) {
        let path = request.path.trim_start_matches('/');
        path.split_once('/').unwrap_or((path, ""))
    }

    fn begin(request: &Request, world: &World) -> Output {
        let (verb, rest) = script(request);
        let query = request.query.as_str();
        let fetch = |key: &str, fresh| Output::Fetch { key: key.into(), range: None, fresh, ahead: Vec::new() };
        match verb {
            "noop" => answer(200, "", "ok"),
            "count" => answer(200, query, &count()),
            // A store that is a test's takes its time for these.
            "slow" => fetch(&format!("slow/{}", CALLS.load(Relaxed)), true),
            "fetch" => fetch(rest, false),
            "fresh" => fetch(rest, true),
            // store/<key>?<condition>: the address itself is what is written
            "store" => {
                let condition = match query.split_once('=') {
                    Some(("if-none-match", _)) => Condition::Absent,
                    Some((_, etag)) => Condition::Match(etag.replace("%22", "\"")),
                    None => Condition::None,
                };
                Output::Store { key: rest.into(), body: format!("store/{rest}").into(), content_type: "text/plain", condition }
            }
            "delete" => Output::Delete { key: rest.into() },
            // load/<bytes>,<ms>/<address without http://>
            "load" => {
                let (limits, address) = rest.split_once('/').unwrap_or((rest, ""));
                let (bytes, ms) = limits.split_once(',').unwrap_or_default();
                let (max_bytes, timeout_ms) = (bytes.parse().unwrap_or(usize::MAX), ms.parse().unwrap_or(u32::MAX));
                Output::Load { url: format!("http://{address}"), headers: Vec::new(), max_bytes, timeout_ms }
            }
            "random" => answer(200, "no-store", &format!("{:?}", world.random)),
            "setting" => answer(200, "no-store", &std::env::var(rest).unwrap_or_default()),
            // wait/<key>?expect-ms=…&timeout-ms=…
            "wait" => match request.waited {
                None => {
                    let number = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.parse().ok()).unwrap_or(0);
                    Output::Answer(Answer::Wait { key: rest.into(), expect_ms: number("expect-ms="), timeout_ms: number("timeout-ms=") })
                }
                Some(waited) => answer(200, "public, max-age=1", &format!("{waited:?}")),
            },
            // send/<piece>,<piece> with piece = <key>:<first>-<last>
            "send" => {
                let piece = |piece: &str| {
                    let (key, range) = piece.split_once(':').map_or((piece, None), |(key, range)| (key, range.split_once('-')));
                    Piece { key: key.into(), range: range.map(|(first, last)| (first.parse().unwrap(), last.parse().unwrap())) }
                };
                let headers = vec![
                    header("content-type", "video/mp4"),
                    header("cache-control", "public, max-age=3600, immutable"),
                    header("etag", "\"sent\""),
                ];
                Output::Answer(Answer::Send { pieces: rest.split(',').map(piece).collect(), headers })
            }
            "text" => {
                let body = "#EXTM3U\n#EXT-X-VERSION:9\n".repeat(200).into_bytes();
                let kind = header("content-type", "application/vnd.apple.mpegurl");
                let headers = vec![kind, header("etag", "\"one\""), header("cache-control", "public, max-age=2")];
                Output::Answer(Answer::Respond { status: 200, headers, body })
            }
            "echo" => {
                let headers: Vec<_> = request.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
                answer(200, "private", &headers.join("\n"))
            }
            "tidegate-reports" => answer(200, "", &statuses(&request.body).expect("reports")),
            "panic" => panic!("as asked"),
            "spin" => loop {
                std::hint::black_box(&CALLS);
            },
            "memory" => {
                let mut all = Vec::new();
                loop {
                    all.push(std::hint::black_box(vec![1_u8; 1 << 20]));
                }
            }
            _ => answer(404, "public, max-age=1", "no such script"),
        }
    }

    fn go_on(request: &Request, input: Input) -> Output {
        let (verb, _) = script(request);
        let control = if verb == "fresh" { "no-store" } else { "" };
        match input {
            Input::Fetched(_) if verb == "slow" => answer(200, &request.query, &count()),
            Input::Fetched(Fetched::Got { bytes, .. }) => answer(200, control, &String::from_utf8_lossy(&bytes)),
            Input::Fetched(Fetched::Missing) => answer(404, control, ""),
            Input::Fetched(Fetched::Failed) => answer(503, control, ""),
            Input::Stored(Stored::Done { etag }) => answer(200, "no-store", &format!("done {}", etag.as_deref().unwrap_or("none"))),
            Input::Stored(stored) => answer(200, "no-store", &format!("{stored:?}")),
            Input::Loaded(Loaded::Got { status, headers, body }) => {
                let coding = headers.iter().any(|(name, _)| name == "content-encoding");
                let text = String::from_utf8_lossy(body.get(..20).unwrap_or(&body)).into_owned();
                answer(200, "no-store", &format!("{status} coding={coding} {} {text}", body.len()))
            }
            Input::Loaded(loaded) => answer(200, "no-store", &format!("{loaded:?}")),
        }
    }

    /// One status for each report: nobody is no stream.
    fn statuses(mut rest: &[u8]) -> Option<String> {
        let mut statuses = String::new();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, report) = (std::str::from_utf8(&rest[..end]).ok()?, &rest[end + 1..]);
            let lengths = line.split(' ').map(str::parse::<usize>).collect::<Result<Vec<_>, _>>().ok()?;
            statuses.push_str(if report.starts_with(b"/beacon/nobody") { "404\n" } else { "204\n" });
            rest = &report[lengths.iter().sum::<usize>()..];
        }
        Some(statuses)
    }

    fn count() -> String {
        CALLS.fetch_add(1, Relaxed).to_string()
    }

    fn header(name: &'static str, value: &str) -> Header {
        (name, value.to_owned().into())
    }

    fn answer(status: u16, cache_control: &str, body: &str) -> Output {
        let headers = if cache_control.is_empty() { Vec::new() } else { vec![header("cache-control", cache_control)] };
        Output::Answer(Answer::Respond { status, headers, body: body.into() })
    }
}
