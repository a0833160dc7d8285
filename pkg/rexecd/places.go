package rexecd

import (
	"errors"
	"fmt"

	"rexecd/pkg/passwd"
	"rexecd/pkg/places"
)

// sessions limits how many commands run at once, in all processes of the host.
type sessions struct {
	dir     string // where they are counted
	most    int    // of all users; 0: no limit
	perUser int    // 0: no limit
}

// everybody is the holder of the places that all users share.
const everybody = 0

// takePlaces takes what the settings demand for one more command. Only a user who
// has authenticated learns that there is none. The user's own come first: who has
// used them up must not use up everybody's.
func (u *userSession) takePlaces(account *passwd.Entry, r *ruling) error {
	limits := u.server.Config.sessions
	if r.Rule != nil {
		if err := u.take("rule."+r.Rule.Name, uint32(account.UID), r.Sessions); err != nil {
			return err
		}
	}
	if err := u.take("sessions_per_user", uint32(account.UID), limits.perUser); err != nil {
		return err
	}
	return u.take("sessions", everybody, limits.most)
}

// take takes one of n places of a counter until the session is closed; without
// root, or with n = 0, nothing is counted. A counter that cannot be kept refuses:
// the limit would be none.
func (u *userSession) take(counter string, holder uint32, n int) error {
	if n == 0 || !asRoot {
		return nil
	}
	place, err := places.Acquire(u.server.Config.sessions.dir, counter, holder, n)
	switch {
	case errors.Is(err, places.ErrFull):
		return unavailable(fmt.Errorf("%s = %d: %w", counter, n, err))
	case err != nil:
		return unavailable(err)
	}
	u.places = append(u.places, place)
	return nil
}
