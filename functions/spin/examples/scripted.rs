//! A component that does what its address says: the host's tests play with it what a function may do, and may do wrong.
#[cfg(target_arch = "wasm32")]
mod component {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use std::time::Duration;

    use bytes::Bytes;
    use spin_sdk::http::body::IncomingBodyExt as _;
    use spin_sdk::http::{EmptyBody, FullBody, Request, Response, get, send};
    use spin_sdk::http_service;
    use spin_sdk::wasip3::random::random::get_random_bytes;

    static CALLS: AtomicU32 = AtomicU32::new(0);

    type Answer = anyhow::Result<Response<FullBody<Bytes>>>;

    #[http_service]
    async fn serve(request: Request) -> Answer {
        let path = request.uri().path().trim_start_matches('/').to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let (verb, rest) = path.split_once('/').unwrap_or((&path, ""));
        let upstream = std::env::var("TIDEGATE_UPSTREAM").unwrap_or_default();
        match verb {
            // A test writes another number over this one.
            "tidegate-functions" => {
                let version = std::hint::black_box("speaks-version-1").trim_start_matches("speaks-version-");
                answer(204, &[("tidegate-functions", version)], "")
            }
            "noop" => answer(200, &[], "ok"),
            "count" => {
                let calls = CALLS.fetch_add(1, Relaxed);
                answer(200, &[("cache-control", &query)], &format!("{calls}"))
            }
            "slow" => {
                spin_sdk::time::sleep(Duration::from_millis(200)).await;
                answer(200, &[("cache-control", &query)], &format!("{}", CALLS.fetch_add(1, Relaxed)))
            }
            "fetch" => match get(format!("{upstream}/{rest}")).await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    let bytes = response.into_body().bytes().await?;
                    answer(status, &[], &String::from_utf8_lossy(&bytes))
                }
                Err(error) => answer(500, &[], &format!("{error}")),
            },
            // store/<key>?<condition>: the address itself is what is written
            "store" | "delete" => {
                let method = if verb == "store" { "PUT" } else { "DELETE" };
                let mut request = Request::<()>::builder().method(method).uri(format!("{upstream}/{rest}"));
                request = request.header("content-type", "text/plain").header("content-length", path.len());
                if let Some((name, value)) = query.split_once('=') {
                    request = request.header(name, value.replace("%22", "\""));
                }
                let response = send(request.body(FullBody::new(Bytes::from(path.clone())))?).await?;
                let etag = response.headers().get("etag").and_then(|etag| etag.to_str().ok()).unwrap_or("none");
                answer(200, &[("cache-control", "no-store")], &format!("{} {etag}", response.status().as_u16()))
            }
            "fresh" => {
                let request = Request::<()>::get(format!("{upstream}/{rest}")).header("cache-control", "no-cache");
                let response = send(request.body(EmptyBody::new())?).await?;
                let status = response.status().as_u16();
                let bytes = response.into_body().bytes().await?;
                answer(status, &[("cache-control", "no-store")], &String::from_utf8_lossy(&bytes))
            }
            // load/<limits>/<address without http://>
            "load" => {
                let (limits, address) = rest.split_once('/').unwrap_or((rest, ""));
                let request = Request::<()>::get(format!("http://{address}")).header("tidegate-load", limits.replace(',', "; "));
                match send(request.body(EmptyBody::new())?).await {
                    Ok(response) => {
                        let status = response.status();
                        let coding = response.headers().contains_key("content-encoding");
                        let bytes = response.into_body().bytes().await?;
                        let text = format!(
                            "{status} coding={coding} {} {}",
                            bytes.len(),
                            String::from_utf8_lossy(bytes.get(..20).unwrap_or(&bytes))
                        );
                        answer(200, &[("cache-control", "no-store")], &text)
                    }
                    Err(error) => answer(200, &[("cache-control", "no-store")], &format!("{error:?}")),
                }
            }
            "random" => answer(200, &[("cache-control", "no-store")], &format!("{:?}", get_random_bytes(32))),
            "setting" => answer(200, &[("cache-control", "no-store")], &std::env::var(rest).unwrap_or_default()),
            "foreign" => match get(format!("http://{rest}/")).await {
                Ok(response) => answer(200, &[], &format!("reached {}", response.status())),
                Err(error) => answer(403, &[], &format!("{error}")),
            },
            // wait/<key>?expect-ms=…; timeout-ms=…
            "wait" => match request.headers().get("tidegate-waited") {
                None => answer(204, &[("tidegate-wait", &format!("key={rest}; {}", query.replace('&', "; ")))], ""),
                Some(waited) => answer(200, &[("cache-control", "public, max-age=1")], waited.to_str()?),
            },
            // send/<piece>,<piece> with piece = <key>:<first>-<last>
            "send" => {
                let pieces: Vec<_> = rest
                    .split(',')
                    .map(|piece| match piece.split_once(':') {
                        Some((key, range)) => ("tidegate-send", format!("key={key}; range={range}")),
                        None => ("tidegate-send", format!("key={piece}")),
                    })
                    .collect();
                let mut headers: Vec<_> = pieces.iter().map(|(name, value)| (*name, value.as_str())).collect();
                headers.push(("content-type", "video/mp4"));
                headers.push(("cache-control", "public, max-age=3600, immutable"));
                answer(200, &headers, "")
            }
            "text" => {
                let text = "#EXTM3U\n#EXT-X-VERSION:9\n".repeat(200);
                let kind = ("content-type", "application/vnd.apple.mpegurl");
                answer(200, &[kind, ("etag", "\"one\""), ("cache-control", "public, max-age=2")], &text)
            }
            "echo" => {
                let headers: Vec<_> = request.headers().iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
                answer(200, &[("cache-control", "private")], &headers.join("\n"))
            }
            // One status for each report: nobody is no stream
            "tidegate-reports" => {
                let body = request.into_body().bytes().await?;
                let (mut rest, mut statuses) = (&body[..], String::new());
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let (line, report) = (std::str::from_utf8(&rest[..end])?, &rest[end + 1..]);
                    let lengths = line.split(' ').map(str::parse::<usize>).collect::<Result<Vec<_>, _>>()?;
                    statuses.push_str(if report.starts_with(b"/beacon/nobody") { "404\n" } else { "204\n" });
                    rest = &report[lengths.iter().sum::<usize>()..];
                }
                answer(200, &[], &statuses)
            }
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
            _ => answer(404, &[("cache-control", "public, max-age=1")], "no such script"),
        }
    }

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let mut response = Response::builder().status(status).header("content-length", body.len());
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        Ok(response.body(FullBody::new(Bytes::from(body.to_owned())))?)
    }
}
