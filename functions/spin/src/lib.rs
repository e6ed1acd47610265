//! The functions as one WASM component for Spin and for our host.
#[cfg(target_arch = "wasm32")]
mod component {
    use spin_sdk::http::{FullBody, Request, Response};
    use spin_sdk::http_service;

    #[http_service]
    async fn serve(_request: Request) -> anyhow::Result<Response<FullBody<bytes::Bytes>>> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis();
        let body = format!("hello {now}\n");
        Ok(Response::builder().header("content-length", body.len()).body(FullBody::new(body.into()))?)
    }
}
