//! Announcements and questions over loopback, each test on a port of multicast DNS of its own.
