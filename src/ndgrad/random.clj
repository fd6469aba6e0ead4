(ns ndgrad.random
  "Random arrays. The same seed gives the same numbers on every machine, with any number of threads.

  seeding      manual-seed!
  keys         key split fold-in
  floating     rand randn uniform normal truncated-normal exponential
  discrete     randint bernoulli
  sampling     choice permutation randperm shuffle!

  Functions that draw take options as a trailing map or keyword arguments:
    :dtype          for floating numbers :float64 (default) or :float32; for integers and booleans any that can hold them
    :requires-grad  whether the result requires a gradient
    :key            a key to draw from: the same call then gives the same numbers every time
    :generator      a java.util.random.RandomGenerator to draw from
  Without :key and :generator the numbers come from a global generator, which is thread-safe. Inside
  nd/vmap all examples share what is drawn; parameters may differ between them, except :p of `choice`. `shuffle!` creates no
  array and takes only these two.

  Throws ArgumentException for a number out of range, ShapeException for a negative dimension or a parameter that does not
  broadcast to the shape, DTypeException for a dtype that cannot hold the numbers drawn.

  (require '[ndgrad.random :as r])
  (r/manual-seed! 0)
  (r/randn [2 3] {:dtype :float32 :requires-grad true})
  (let [[k1 k2] (r/split (r/key 0) 2)]
    [(r/uniform -1 1 [3] {:key k1}) (r/permutation [1 2 3] {:key k2})])"
  (:refer-clojure :exclude [key rand])
  (:require
   [ndgrad.call :as call])
  (:import
   (java.io Writer)
   (java.util.random RandomGenerator)
   (ndgrad Array DType Draw Random Random$Key)
   (ndgrad.op.spec Coerce)))

(set! *warn-on-reflection* true)

(def ^:private sources [:key :generator])

(def ^:private known (into [:dtype :requires-grad] sources))

(defn- ->key ^Random$Key [op key]
  (if (instance? Random$Key key) key (call/fail op "a key as made by `key` or `split`" key)))

(defn- draw
  "The Draw described by the options in `more`, which must be among the names `taken`."
  (^Draw [op more] (draw op more known))
  (^Draw [op more taken]
   (let [{:keys [dtype key generator p] :as options} (call/options op more taken)]
     (when-not (or (nil? generator) (instance? RandomGenerator generator))
       (call/fail op "a java.util.random.RandomGenerator as :generator" generator))
     (when (and key generator)
       (call/fail op "one source of numbers, :key or :generator" [:key :generator]))
     (call/naming op
       (cond-> ^Draw (cond key (Random/with (->key op key))
                           generator (Random/with ^RandomGenerator generator)
                           :else (Random/draw))
         dtype (.dtype (DType/of dtype))
         (call/flag options :requires-grad false) (.requiresGrad true)
         (not (call/flag options :replace true)) (.withoutReplacement)
         p (.probabilities (call/array op p)))))))

(defn- ->shape ^ints [shape] (Coerce/dimensions "shape" shape))

(defn- parameter
  "The Array that `x`, a parameter of `op` beside another, is or stands for. A number is weak: it has the dtype of the
  other."
  ^Array [op x other]
  (if (number? x)
    (Array/of ^Object x (.toFloating (.dtype (call/array op other))))
    (call/array op x)))

(defn manual-seed!
  "Seeds the global generator, so that subsequent draws are reproducible. Returns the seed.

  Example: (r/manual-seed! 0)"
  [seed]
  (call/naming "manual-seed!" (Random/manualSeed (Coerce/whole "seed" seed)))
  seed)

(defn key
  "The key of a seed: an immutable source of random numbers for functional code, as in JAX. The same key gives the same
  numbers whenever it is used, so use each key once and derive others by `split` or `fold-in`.

  Example: (r/randn [2] {:key (r/key 0)})"
  [seed]
  (call/naming "key" (Random/key (Coerce/whole "seed" seed))))

(defn split
  "A vector of `n` (default 2) independent keys, to use instead of `key`.

  Example: (r/split (r/key 0) 3)"
  ([key] (split key 2))
  ([key n] (call/naming "split" (vec (.split (->key "split" key) (Coerce/integer "n" n))))))

(defn fold-in
  "A key derived from `key` and a number, such as the index of a step or a layer.

  Example: (r/fold-in (r/key 0) 7)"
  [key number]
  (call/naming "fold-in" (.foldIn (->key "fold-in" key) (Coerce/whole "number" number))))

(defn rand
  "Uniform numbers in [0, 1).

  Example: (r/rand [2 3])"
  [shape & options]
  (call/naming "rand"
    (.rand (draw "rand" options) (->shape shape))))

(defn randn
  "Standard normal numbers.

  Example: (r/randn [2 3] {:dtype :float32 :requires-grad true})"
  [shape & options]
  (call/naming "randn"
    (.randn (draw "randn" options) (->shape shape))))

(defn uniform
  "Uniform numbers in [low, high). `low` and `high` may be arrays that broadcast to `shape`; gradients flow to them, and the
  result has their dtype.

  Example: (r/uniform -1 1 [2 3])"
  [low high shape & options]
  (call/naming "uniform"
    (let [d (draw "uniform" options)]
      (if (and (number? low) (number? high))
        (.uniform d (Coerce/real "low" low) (Coerce/real "high" high) (->shape shape))
        (.uniform d (parameter "uniform" low high) (parameter "uniform" high low) (->shape shape))))))

(defn normal
  "Normal numbers with mean `mean` and standard deviation `std`, which may be arrays that broadcast to `shape`; gradients
  flow to them, and the result has their dtype.

  Example: (r/normal 10 0.5 [2 3])"
  [mean std shape & options]
  (call/naming "normal"
    (let [d (draw "normal" options)]
      (if (and (number? mean) (number? std))
        (.normal d (Coerce/real "mean" mean) (Coerce/real "std" std) (->shape shape))
        (.normal d (parameter "normal" mean std) (parameter "normal" std mean) (->shape shape))))))

(defn truncated-normal
  "Normal numbers conditioned to lie between `low` and `high`, which may be infinite; also works far in the tails.

  Example: (r/truncated-normal 0 0.02 -0.04 0.04 [2 3])"
  [mean std low high shape & options]
  (call/naming "truncated-normal"
    (.truncatedNormal (draw "truncated-normal" options) (Coerce/real "mean" mean) (Coerce/real "std" std)
                      (Coerce/real "low" low) (Coerce/real "high" high) (->shape shape))))

(defn exponential
  "Exponential numbers whose mean is `scale`.

  Example: (r/exponential 2.0 [3])"
  [scale shape & options]
  (call/naming "exponential"
    (.exponential (draw "exponential" options) (Coerce/real "scale" scale) (->shape shape))))

(defn- integers [low high shape options]
  (call/naming "randint"
    (.randint (draw "randint" options) (Coerce/whole "low" low) (Coerce/whole "high" high) (->shape shape))))

(defn randint
  "Uniform integers in [low, high), :int64 unless a :dtype is given. `low` defaults to 0; without it the shape must be a
  vector.

  Example: (r/randint 0 10 [2 3])"
  {:arglists '([high shape & options] [low high shape & options])}
  ([high shape]
   (when (number? shape)
     (call/fail "randint" "a shape: (randint high [n]), (randint low high n)" [high shape]))
   (integers 0 high shape nil))
  ([low high shape & options]
   (if (or (map? shape) (keyword? shape))
     (integers 0 low high (cons shape options))
     (integers low high shape options))))

(defn bernoulli
  "Booleans that are true with probability `p`, which may be an array that broadcasts to `shape`; :bool unless a :dtype is
  given.

  Example: (r/bernoulli 0.8 [2 3])"
  [p shape & options]
  (call/naming "bernoulli"
    (let [d (draw "bernoulli" options)]
      (if (number? p)
        (.bernoulli d (Coerce/real "p" p) (->shape shape))
        (.bernoulli d (call/array "bernoulli" p) (->shape shape))))))

(defn choice
  "A random sample, of shape `size` (an integer, a vector, or [] for a single element), of elements of `a` along its first
  axis, or of the integers in [0, a) if `a` is an integer; in the dtype of `a` unless a :dtype is given. Further options:
  `:replace false` samples without replacement, `:p` are the probabilities of the elements.

  Example: (r/choice 10 3 {:replace false})"
  [a size & options]
  (call/naming "choice"
    (let [d (draw "choice" options (into known [:replace :p]))]
      (if (integer? a)
        (.choice d (Coerce/integer "a" a) (->shape size))
        (.choice d (call/array "choice" a) (->shape size))))))

(defn randperm
  "The integers in [0, n) in random order.

  Example: (r/randperm 5)"
  [n & options]
  (call/naming "randperm"
    (.randperm (draw "randperm" options) (Coerce/integer "n" n))))

(defn permutation
  "A copy of `x` in random order along its first axis, in its dtype unless a :dtype is given; for an integer `x` the integers
  in [0, x).

  Example: (r/permutation [[1 2] [3 4] [5 6]])"
  [x & options]
  (call/naming "permutation"
    (let [d (draw "permutation" options)]
      (if (integer? x)
        (.randperm d (Coerce/integer "x" x))
        (.permutation d (call/array "permutation" x))))))

(defn shuffle!
  "Shuffles `x` in place along its first axis; returns x. Options: `:key`, `:generator`.

  Example: (r/shuffle! (nd/arange 5))"
  [x & options]
  (call/naming "shuffle!"
    (.shuffleInPlace (draw "shuffle!" options sources) (call/existing "shuffle!" x))))

(defmethod print-method Random$Key [x ^Writer w]
  (.write w (str x)))
