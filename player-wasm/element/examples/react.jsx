// React, and Next.js: a page that is rendered on a server imports it just so.
import { TidegatePlayer } from "@tidegate/player/react";
import { useRef, useState } from "react";

export function Watch({ src }) {
  const player = useRef(null);
  const [status, setStatus] = useState("idle");
  return (
    <figure>
      <TidegatePlayer ref={player} src={src} controls autoplay muted onstatuschange={(event) => setStatus(event.target.status)} />
      <figcaption>{status}</figcaption>
    </figure>
  );
}
