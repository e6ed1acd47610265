//! CMAF boxes: init segments and chunks, written and read.
