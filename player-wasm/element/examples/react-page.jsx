import { createRoot } from "react-dom/client";
import { Watch } from "./react.jsx";

createRoot(document.getElementById("root")).render(<Watch src="/vod/index.m3u8" />);
