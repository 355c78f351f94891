package core

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/pki"
)

// Limits of what is done to a service at a time.
const (
	storeTime     = 60 * time.Second // for switching stores or putting them back
	serviceTime   = 3 * time.Minute  // for a check or a reload: systemd gives a service 90 seconds to stop
	switchAtATime = 8                // stores of one service that are switched or put back at a time

	// gatherTime is how long those that were switched together are waited for, to have
	// the service reload.
	gatherTime = 100 * time.Millisecond
)

// turns lets whoever changes what a service reads take turns: while a store was
// switched and the service has not checked it yet, nobody lets it reload. Those who
// come while a turn is under way share the next one, so that many stores of one
// service cost one check and one reload.
type turns struct {
	mu      sync.Mutex
	waiting map[string]*queue // by service; there is an entry while somebody serves it

	// unchecked has the services that may find something switched that they have not
	// checked: the host could not be reached in between. Each stays until a check succeeds.
	unchecked map[string]bool
}

// A queue are those who wait for one service.
type queue struct {
	orders []*order
	grown  chan struct{} // has a token when somebody has come
}

// An order is something to be done to a service.
type order struct {
	act     act
	store   deploy.Store
	service deploy.Service // nil: nothing has to be told
	bundle  pki.Bundle
	still   func(context.Context) error // whether it is still to be done, asked when it is its turn; nil: it is

	said string
	err  error
	done chan struct{}
}

// An act is what an order is for.
type act uint8

const (
	toSwitch act = iota // switch the store and have the service check it; put it back where it does not like it
	toReload            // have the service read
	toBack              // put the store back and have the service read
)

// take has the order carried out and returns what programs have printed. It returns
// when that is so: what was begun is not abandoned.
func (s *turns) take(o *order) (said string, err error) {
	if o.service == nil {
		return "", withoutService(o)
	}
	o.done = make(chan struct{})
	name := o.service.Name()
	s.mu.Lock()
	if s.waiting == nil {
		s.waiting = map[string]*queue{}
	}
	q, served := s.waiting[name]
	if !served {
		q = &queue{grown: make(chan struct{}, 1)}
		s.waiting[name] = q
	}
	q.orders = append(q.orders, o)
	s.mu.Unlock()
	select {
	case q.grown <- struct{}{}:
	default:
	}
	if !served {
		go s.serve(name, q)
	}
	<-o.done
	return o.said, o.err
}

func withoutService(o *order) (err error) {
	within(storeTime, func(ctx context.Context) {
		switch o.act {
		case toSwitch:
			if err = o.store.Switch(ctx, o.bundle); err != nil {
				o.giveUp(err)
				err = o.err
			}
		case toBack:
			if err = o.isStill(ctx); err == nil {
				err = o.store.Back(ctx)
			}
		}
	})
	return err
}

// isStill fails with the reason why the order is not to be carried out any more.
func (o *order) isStill(ctx context.Context) error {
	if o.still == nil {
		return nil
	}
	return o.still(ctx)
}

// within does something for which there is so much time, whatever came before.
func within(limit time.Duration, do func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	do(ctx)
}

// serve gives turns to those who wait for the service, until nobody does.
func (s *turns) serve(name string, q *queue) {
	for {
		s.mu.Lock()
		orders := q.orders
		if len(orders) == 0 {
			delete(s.waiting, name)
			s.mu.Unlock()
			return
		}
		q.orders = nil
		s.mu.Unlock()
		s.turn(orders)
		switched := 0
		for _, o := range orders {
			if o.act == toSwitch && o.err == nil {
				switched++
			}
		}
		for _, o := range orders {
			close(o.done)
		}
		if switched > 1 {
			s.gather(q, switched)
		}
	}
}

// gather waits a moment until so many have come: those that were switched together are
// about to have the service reload, which would else reload for the first of them alone.
func (s *turns) gather(q *queue, most int) {
	over := time.After(gatherTime)
	for {
		s.mu.Lock()
		came := len(q.orders)
		s.mu.Unlock()
		if came >= most {
			return
		}
		select {
		case <-q.grown:
		case <-over:
			return
		}
	}
}

// turn carries out the orders of one service.
func (s *turns) turn(orders []*order) {
	by := map[act][]*order{}
	for _, o := range orders {
		by[o.act] = append(by[o.act], o)
	}
	if back := by[toBack]; len(back) > 0 {
		s.putAllBack(back)
	}
	if reload := by[toReload]; len(reload) > 0 {
		said, err := s.reload(reload[0].service)
		tell(reload, said, err)
	}
	if switches := by[toSwitch]; len(switches) > 0 {
		s.switchAll(switches)
	}
}

// check has the service check what it finds. Where it likes that, nothing is unchecked
// any more, whoever has switched it.
func (s *turns) check(service deploy.Service) (said string, err error) {
	if said, err = ask(service.Check); err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.unchecked, service.Name())
	}
	return said, err
}

// reload has the service read. It checks first what may have been left unchecked, and
// reads nothing where that fails: there are services that end over what they cannot use.
func (s *turns) reload(service deploy.Service) (said string, err error) {
	s.mu.Lock()
	unchecked := s.unchecked[service.Name()]
	s.mu.Unlock()
	if unchecked {
		if said, err = s.check(service); err != nil {
			return said, err
		}
	}
	return ask(service.Reload)
}

// leave takes note that the service may find something switched that it has not checked.
func (s *turns) leave(service deploy.Service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unchecked == nil {
		s.unchecked = map[string]bool{}
	}
	s.unchecked[service.Name()] = true
}

// ask has a service do something.
func ask(what func(context.Context) (string, error)) (said string, err error) {
	within(serviceTime, func(ctx context.Context) { said, err = what(ctx) })
	return said, err
}

func tell(orders []*order, said string, err error) {
	for _, o := range orders {
		o.said, o.err = said, err
	}
}

// putAllBack puts the stores back and has the service read once. A service that finds
// fault with what it has served before is let read all the same: there is nothing better.
// Where something was left unchecked, the fault may be in that, and it reads nothing.
func (s *turns) putAllBack(orders []*order) {
	within(storeTime, func(ctx context.Context) {
		each(orders, switchAtATime, func(o *order) { o.err = o.isStill(ctx) })
		orders = slices.DeleteFunc(orders, func(o *order) bool { return o.err != nil })
		each(orders, switchAtATime, func(o *order) { o.err = o.store.Back(ctx) })
	})
	if len(orders) == 0 {
		return
	}
	said, err := s.reload(orders[0].service)
	for _, o := range orders {
		if o.said = said; o.err == nil && err != nil {
			o.err = notRead{err}
		}
	}
}

// notRead is why a service has not read what was put back. It may serve that all the
// same: a service that is deaf has never read anything else.
type notRead struct{ error }

func (e notRead) Unwrap() error { return e.error }

// switchAll switches the stores and has the service check once. Where it finds fault,
// all are put back and tried one by one: one must not suffer for another.
func (s *turns) switchAll(orders []*order) {
	within(storeTime, func(ctx context.Context) {
		each(orders, switchAtATime, func(o *order) { o.err = o.store.Switch(ctx, o.bundle) })
	})
	var switched []*order
	for _, o := range orders {
		if o.err == nil {
			switched = append(switched, o)
		} else {
			s.giveUp(o, o.err)
		}
	}
	if len(switched) == 0 {
		return
	}
	said, err := s.check(switched[0].service)
	tell(switched, said, err)
	if err == nil {
		return
	}
	each(switched, switchAtATime, func(o *order) { s.giveUp(o, err) })
	if errors.Is(err, remote.ErrUnreachable) {
		return // it is tried again, and finds the stores switched
	}
	if len(switched) == 1 {
		return
	}
	for _, o := range switched {
		s.alone(o)
	}
}

// giveUp is order.giveUp that takes note of a store that may have stayed switched.
func (s *turns) giveUp(o *order, why error) {
	if !o.giveUp(why) {
		s.leave(o.service)
	}
}

// giveUp puts the store back for the reason, and reports whether it is back. What could not
// be reached stays as it is: it is tried again, and finds it switched or not.
func (o *order) giveUp(why error) (back bool) {
	if o.err = why; errors.Is(why, remote.ErrUnreachable) {
		return false
	}
	within(storeTime, func(ctx context.Context) {
		err := o.store.Back(ctx)
		if back = err == nil; !back {
			o.err = notBack{errors.Join(why, err)}
		}
	})
	return back
}

// notBack is why something has failed that could not be put back either.
type notBack struct{ error }

func (e notBack) Unwrap() error { return e.error }

// alone switches one store. Back has forgotten what was placed, so it is placed again.
func (s *turns) alone(o *order) {
	within(storeTime, func(ctx context.Context) {
		if o.err = o.store.Place(ctx, o.bundle); o.err == nil {
			o.err = o.store.Switch(ctx, o.bundle)
		}
	})
	if o.err == nil {
		o.said, o.err = s.check(o.service)
	}
	if o.err != nil {
		s.giveUp(o, o.err)
	}
}
