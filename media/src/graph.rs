//! Graph: FFmpeg's filters on one thread, from one source to one sink.

use ffmpeg_next as ffmpeg;

use ffmpeg::{filter, frame};

/// A chain of filters.
pub(crate) struct Graph(filter::Graph);

impl Graph {
    /// `source` and `sink` are the names of FFmpeg's ends (`buffer`, `abuffer`, …), `arguments` those of the source.
    pub(crate) fn new(source: &str, arguments: &str, sink: &str, chain: &str) -> Result<Graph, ffmpeg::Error> {
        let find = |name: &str| filter::find(name).ok_or(ffmpeg::Error::FilterNotFound);
        let mut graph = filter::Graph::new();
        one_thread(&mut graph);
        graph.add(&find(source)?, "in", arguments)?;
        graph.add(&find(sink)?, "out", "")?;
        graph.output("in", 0)?.input("out", 0)?.parse(chain)?;
        graph.validate()?;
        Ok(Graph(graph))
    }

    /// Sound leaves in frames of so many samples, the last one excepted.
    pub(crate) fn set_frame_size(&mut self, samples: u32) -> Result<(), ffmpeg::Error> {
        self.0.get("out").ok_or(ffmpeg::Error::FilterNotFound)?.sink().set_frame_size(samples);
        Ok(())
    }

    /// Feeds a frame.
    pub(crate) fn feed(&mut self, frame: &frame::Frame) -> Result<(), ffmpeg::Error> {
        self.0.get("in").ok_or(ffmpeg::Error::FilterNotFound)?.source().add(frame)
    }

    /// Says that the last frame ended at this timestamp.
    pub(crate) fn end(&mut self, at: i64) -> Result<(), ffmpeg::Error> {
        self.0.get("in").ok_or(ffmpeg::Error::FilterNotFound)?.source().close(at)
    }

    /// Puts the next frame that is ready into `frame`; false if there is none.
    pub(crate) fn next(&mut self, frame: &mut frame::Frame) -> Result<bool, ffmpeg::Error> {
        match self.0.get("out").ok_or(ffmpeg::Error::FilterNotFound)?.sink().frame(frame) {
            Ok(()) => Ok(true),
            Err(ffmpeg::Error::Eof) => Ok(false),
            Err(ffmpeg::Error::Other { errno }) if errno == ffmpeg::util::error::EAGAIN => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Filters would start a pool of threads with the first of them, which the process around us is not allowed.
#[allow(unsafe_code)]
fn one_thread(graph: &mut filter::Graph) {
    // SAFETY: the graph was just made and is ours alone; both fields are plain options that FFmpeg's documentation lets
    // the caller set before the first filter is added.
    unsafe {
        (*graph.as_mut_ptr()).thread_type = 0;
        (*graph.as_mut_ptr()).nb_threads = 1;
    }
}
