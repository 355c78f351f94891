package main

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/certwright/certwright/internal/api/relying"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/store"
)

// scrapeTimeout is how long the database may take to answer a scrape.
const scrapeTimeout = 5 * time.Second

// metrics counts what goes on, for Prometheus.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	relying  *prometheus.HistogramVec
	statuses *prometheus.CounterVec
}

func newMetrics(sys *system) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "certwright_http_request_duration_seconds", Help: "How long requests of the vendors' APIs took.",
		Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 30, 120},
	}, []string{"code", "method"}), relying: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "certwright_publish_request_duration_seconds", Help: "How long requests for CA certificates, revocation lists and OCSP answers took.",
		Buckets: []float64{.0001, .001, .005, .01, .05, .1, .5, 1, 5},
	}, []string{"code", "method"}), statuses: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "certwright_ocsp_answers_total",
		Help: "What was told in answer to OCSP requests, certificate by certificate, and why nothing was: HTTP calls nearly all of it 200.",
	}, []string{"status"})}
	for _, status := range relying.Statuses { // so that all are there from the start
		m.statuses.WithLabelValues(status)
	}
	m.registry.MustRegister(m.requests, m.relying, m.statuses, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), queue{sys}, revocations{sys}, keys{sys})
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) count(h http.Handler) http.Handler {
	return promhttp.InstrumentHandlerDuration(m.requests, h)
}

func (m *metrics) published(h http.Handler) http.Handler {
	return promhttp.InstrumentHandlerDuration(m.relying, h)
}

func (m *metrics) countStatus(status string) { m.statuses.WithLabelValues(status).Inc() }

// queue tells how much work is open, at the moment of the scrape.
type queue struct{ sys *system }

var openWork = prometheus.NewDesc("certwright_open_work", "Work that has not ended, by how it stands.", []string{"state"}, nil)

func (q queue) Describe(ch chan<- *prometheus.Desc) { ch <- openWork }

func (q queue) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	waiting, stopped, err := q.sys.db.QueueLength(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(openWork, err)
		return
	}
	ch <- prometheus.MustNewConstMetric(openWork, prometheus.GaugeValue, float64(waiting), "waiting")
	ch <- prometheus.MustNewConstMetric(openWork, prometheus.GaugeValue, float64(stopped), "stopped")
}

// revocations tells how many revocations are on their way, and how long they take
// until relying parties see them.
type revocations struct{ sys *system }

var (
	pendingRevocations = prometheus.NewDesc("certwright_revocations_pending", "Revocations that no CA has accepted yet.", nil, nil)
	unlisted           = prometheus.NewDesc("certwright_revocations_unlisted", "Revocations by CAs whose keys are held here that no published list names yet.", nil, nil)
	unseenRevocations  = prometheus.NewDesc("certwright_revocations_unseen",
		"Revocations that a CA has accepted and that this server has not seen yet in its list (crl) or at its responder (ocsp). Others may see them: this server asks at the addresses in the certificates, which it may not reach or not as they do.", []string{"in"}, nil)
	oldestUnseen = prometheus.NewDesc("certwright_revocation_oldest_unseen_seconds",
		"How long ago a CA accepted the oldest of the revocations that this server has not seen yet; 0 if there is none.", []string{"in"}, nil)
	revocationLag = prometheus.NewDesc("certwright_revocation_lag_seconds",
		"How long it took from when a CA had accepted a revocation until this process saw it.", []string{"in"}, nil)
)

func (r revocations) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{pendingRevocations, unlisted, unseenRevocations, oldestUnseen, revocationLag} {
		ch <- d
	}
}

func (r revocations) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	pending, missing := 0, 0
	var unseen [2]store.Unseen
	err := r.sys.db.Read(ctx, func(tx *store.Tx) (err error) {
		if unseen[0], unseen[1], err = tx.Unseen(); err == nil {
			pending, err = tx.PendingRevocations()
		}
		if err == nil {
			missing, err = tx.UnlistedRevocations()
		}
		return err
	})
	if err != nil {
		ch <- prometheus.NewInvalidMetric(unseenRevocations, err)
		return
	}
	ch <- prometheus.MustNewConstMetric(pendingRevocations, prometheus.GaugeValue, float64(pending))
	ch <- prometheus.MustNewConstMetric(unlisted, prometheus.GaugeValue, float64(missing))
	var lags [2]core.Lag
	lags[0], lags[1] = r.sys.RevocationLags()
	for n, in := range []string{"crl", "ocsp"} {
		age := 0.0
		if oldest := unseen[n].Oldest; !oldest.IsZero() {
			age = r.sys.db.Now().Sub(oldest).Seconds()
		}
		ch <- prometheus.MustNewConstMetric(unseenRevocations, prometheus.GaugeValue, float64(unseen[n].N), in)
		ch <- prometheus.MustNewConstMetric(oldestUnseen, prometheus.GaugeValue, age, in)
		within := map[float64]uint64{}
		for i, bound := range core.LagBounds {
			within[bound.Seconds()] = lags[n].Within[i]
		}
		ch <- prometheus.MustNewConstHistogram(revocationLag, lags[n].N, lags[n].Sum.Seconds(), within, in)
	}
}

// keys tells how many private keys do not match their certificates.
type keys struct{ sys *system }

var keyMismatches = prometheus.NewDesc("certwright_key_mismatches",
	"Certificates whose private keys do not match, as the last daily round over all certificates has found.", nil, nil)

func (k keys) Describe(ch chan<- *prometheus.Desc) { ch <- keyMismatches }

func (k keys) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	n, err := k.sys.db.KeyMismatches(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(keyMismatches, err)
		return
	}
	ch <- prometheus.MustNewConstMetric(keyMismatches, prometheus.GaugeValue, float64(n))
}
