// Reads the demo's clock from the pixels of a playing video: glass to glass, by one machine's clock.
//
// The stamp is the row of 60 black and white cells along the top edge; infra/tidegate/src/demo/stamp.rs says what they mean.

/** Runs in the page: watches the shown frames for `seconds`, and returns what each of them said. */
export async function watch(page, seconds) {
  return page.evaluate(async (seconds) => {
    const CELLS = 60;
    const find = (root) => {
      for (const element of root.querySelectorAll("*")) {
        if (element instanceof HTMLVideoElement) return element;
        const inside = element.shadowRoot && find(element.shadowRoot);
        if (inside) return inside;
      }
      return null;
    };
    const video = find(document);
    // Only the middle of each cell is read: its edges are blurred by scaling and compression.
    const row = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const read = () => {
      const { videoWidth: width, videoHeight: height } = video;
      if (!width) return null;
      row.canvas.width = width;
      row.canvas.height = 1;
      row.drawImage(video, 0, Math.floor((8 / 540) * height), width, 1, 0, 0, width, 1);
      const pixels = row.getImageData(0, 0, width, 1).data;
      const bits = Array.from({ length: CELLS }, (_, cell) => {
        const at = 4 * Math.floor(((2 * cell + 1) * width) / (2 * CELLS));
        return pixels[at] + pixels[at + 1] + pixels[at + 2] > 3 * 127;
      });
      const number = (from, to) => bits.slice(from, to).reduce((sum, bit) => sum * 2 + (bit ? 1 : 0), 0);
      const body = "00" + bits.slice(2, 56).map(Number).join("");
      let check = 0;
      for (let at = 0; at < body.length; at += 4) check ^= parseInt(body.slice(at, at + 4), 2);
      if (!bits[0] || bits[1] || check !== number(56, 60)) return null;
      return { utcMs: number(2, 44), frame: number(44, 56) };
    };
    const frames = [];
    const began = performance.now();
    const end = began + seconds * 1000;
    await new Promise((resolve) => {
      const late = setTimeout(resolve, seconds * 1000 + 5000);
      const shown = (now, metadata) => {
        const stamp = read();
        // A frame is on the glass when the browser expects to show it, not when the script hears of it.
        const at = performance.timeOrigin + Math.max(now, metadata.expectedDisplayTime);
        frames.push({ at, stamp, height: video.videoHeight, rate: video.playbackRate, media: metadata.mediaTime });
        if (performance.now() < end) video.requestVideoFrameCallback(shown);
        else {
          clearTimeout(late);
          resolve();
        }
      };
      video.requestVideoFrameCallback(shown);
    });
    const quality = video.getVideoPlaybackQuality();
    return { frames, dropped: quality.droppedVideoFrames, total: quality.totalVideoFrames, elapsed: performance.now() - began };
  }, seconds);
}

/** Waits until a picture moves. Returns the milliseconds since navigation. */
export async function playing(page, timeoutMs) {
  const handle = await page.waitForFunction(
    () => {
      const find = (root) => {
        for (const element of root.querySelectorAll("*")) {
          if (element instanceof HTMLVideoElement) return element;
          const inside = element.shadowRoot && find(element.shadowRoot);
          if (inside) return inside;
        }
        return null;
      };
      const video = find(document);
      const quality = video?.getVideoPlaybackQuality?.();
      return video && !video.paused && video.readyState >= 3 && quality.totalVideoFrames > 2 ? performance.now() : false;
    },
    undefined,
    { timeout: timeoutMs, polling: 50 },
  );
  return handle.jsonValue();
}

/** Percentiles of the latency of the frames that carry a stamp. */
export function summary({ frames, dropped, total }) {
  const stamped = frames.filter((frame) => frame.stamp);
  const latency = stamped.map((frame) => frame.at - frame.stamp.utcMs).sort((a, b) => a - b);
  const percentile = (share) => latency[Math.min(latency.length - 1, Math.floor(latency.length * share))] ?? NaN;
  const heights = [...new Set(frames.map((frame) => frame.height))];
  const gaps = stamped.slice(1).map((frame, at) => frame.at - stamped[at].at);
  return {
    shown: frames.length,
    stamped: stamped.length,
    p50: Math.round(percentile(0.5)),
    p95: Math.round(percentile(0.95)),
    max: Math.round(latency.at(-1) ?? NaN),
    longestFreezeMs: Math.round(Math.max(0, ...gaps)),
    dropped,
    total,
    heights,
  };
}
