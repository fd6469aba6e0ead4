(ns ndgrad.call
  "How Clojure calls the ops of the Java core: positional arguments first, options as a trailing map or as keyword
  arguments; lists of arrays are returned as vectors.

  ops           unary binary variadic function in-place: make the functions of ndgrad.core from op constants
  arguments     array existing callable path options given flag arguments: conversion and checks for hand-written functions
  errors        fail naming naming-else"
  (:require
   [clojure.java.io :as io])
  (:import
   (java.io File)
   (java.nio.file Path)
   (java.util Arrays List)
   (java.util.function Function)
   (ndgrad ArgumentException Array NdException Ops)
   (ndgrad.op Registry)
   (ndgrad.op.spec Coerce Elementwise Nested Op Param)))

(set! *warn-on-reflection* true)

(defn- host
  "A result of the core as Clojure data."
  [x]
  (if (instance? List x) (mapv host x) x))

(defmacro naming
  "Evaluates `body`; ndgrad's exceptions name `op` as the function that was called."
  [op & body]
  `(try ~@body (catch NdException e# (throw (.during ^NdException e# ~op)))))

(defmacro naming-else
  "As `naming`, but an exception that already names an op, as those of backward passes do, keeps it."
  [op & body]
  `(try ~@body (catch NdException e# (throw (if (.containsKey (.data ^NdException e#) "op")
                                              e#
                                              (.during ^NdException e# ~op))))))

(defn fail
  "Throws ArgumentException: `op` `expected` something else than it `got`."
  [op expected got]
  (throw (.during (ArgumentException. (str "expected " expected ", got " (Coerce/show got))
                                      (object-array ["value" (Coerce/show got)]))
                  op)))

(defn array
  "The Array that argument `x` of `op` is or stands for."
  ^Array [op x]
  (if (instance? Array x) x (naming op (Array/of ^Object x))))

(defn existing
  "Argument `x` of `op`, which must be an Array because it is modified, or has a place in a graph."
  ^Array [op x]
  (if (instance? Array x) x (fail op "an Array" x)))

(defn callable
  "Argument `f` of `op` as a function: anything callable, also a java.util.function.Function."
  [op f]
  (cond
    (ifn? f) f
    (instance? Function f) (fn [x] (.apply ^Function f x))
    :else (fail op "a function" f)))

(defn path
  "Argument `file` of `op`, a string, File or Path."
  ^Path [op file]
  (if (instance? Path file)
    file
    (or (try (some-> ^File (io/file file) .toPath) (catch IllegalArgumentException _))
        (fail op "a file as a string, File or Path" file))))

(defn- check-options
  "Throws ArgumentException unless `options` is a map, or nil, whose keys are among `known`."
  [op options known]
  (when-not (or (nil? options) (map? options))
    (fail op "options as a map or keyword arguments" options))
  (when-let [unknown (first (remove (set known) (keys options)))]
    (throw (.during (ArgumentException. (str "unknown option " (Coerce/show unknown) "; it takes " (pr-str known))
                                        (object-array ["option" (Coerce/show unknown)]))
                    op))))

(defn- named
  "The keyword arguments in `args` from `start` on as a map; they may end in a map, as for Clojure's own functions."
  [called ^objects args ^long start]
  (let [n (alength args)
        trailing (when (and (< start n) (map? (aget args (dec n))))
                   (aget args (dec n)))
        end (if trailing (dec n) n)]
    (when (odd? (- end start))
      (fail called "keyword arguments in pairs" (drop start args)))
    (if (= start end)
      (or trailing {})
      (loop [i start, found {}]
        (if (< i end)
          (recur (+ i 2) (assoc found (aget args i) (aget args (inc i))))
          (into found trailing))))))

(defn options
  "The options in `more`, the trailing arguments of `op`: a map or keyword arguments, with `known` names only."
  [op more known]
  (let [found (if (nil? (next more)) (first more) (named op (to-array more) 0))]
    (check-options op found known)
    found))

(defn given
  "The option `k`, or `default` if it is missing or nil."
  [options k default]
  (if-some [x (get options k)] x default))

(defn flag
  "The boolean option `k`, or `default` if it is missing or nil."
  [options k default]
  (Coerce/flag (name k) (given options k default)))

(defn- options-start
  "The index in `args`, the arguments of a call, where the options begin: the first keyword after the required arguments that
  is not the value of a parameter that takes keywords, or a trailing map. A keyword that could be such a value but is followed
  by a keyword that fits nowhere is a misspelt option."
  ^long [^Op op ^objects args]
  (let [signature (.signature (.spec op))
        params (.params signature)
        n (alength args)
        required (.required signature)
        word? (fn [^long i]
                (and (< i (.size params)) (.takesWords (.kind ^Param (.get params i)))))]
    (loop [i required]
      (cond
        (<= n i) n
        (keyword? (aget args i)) (cond
                                   (.isOption signature (aget args i)) i
                                   (word? i) (recur (inc i))
                                   (and (< required i) (keyword? (aget args (dec i)))) (dec i)
                                   :else i)
        (and (= i (dec n)) (map? (aget args i))) i
        :else (recur (inc i))))))

(defn- collect
  "The trailing arrays of a variadic call as one list. A single list that is empty or contains an Array is that list; a single
  list of numbers is an array itself."
  ^objects [^Op op ^objects args]
  (let [n (dec (.required (.signature (.spec op))))
        [one & others :as arrays] (drop n args)]
    (if (or (empty? arrays)
            (and (nil? others)
                 (when-some [items (Nested/items one)]
                   (or (empty? items) (some #(instance? Array %) items)))))
      args
      (doto (Arrays/copyOf args (inc n)) (aset n (vec arrays))))))

(defn- split-args
  "[options positional] for a call of `op` under the name `called`: options are a trailing map or keyword arguments, or both;
  surplus values before them are options by position."
  [^Op op called ^objects args]
  (let [start (options-start op args)]
    [(named called args start) (Arrays/copyOf args start)]))

(defn- invoke [^Op op args]
  (let [[opts positional] (split-args op (.name op) args)]
    (host (Ops/call op opts positional))))

(defn- lazily
  "A delay of the op in a constant, named by a symbol. Loading ndgrad.core needs no op: the class of a family, with all its
  declarations, is initialised when one of its ops is first called."
  [constant]
  (delay (Registry/op (namespace constant) (name constant))))

(defn unary
  "The Clojure function of an elementwise op of one array; the symbol `constant` names the op."
  [constant]
  (let [op (lazily constant)]
    (fn [x] (Ops/apply ^Elementwise @op x))))

(defn binary
  "The Clojure function of an elementwise op of two arrays."
  [constant]
  (let [op (lazily constant)]
    (fn [a b] (Ops/apply ^Elementwise @op a b))))

(defn variadic
  "The Clojure function of an op whose last required parameter takes all trailing arrays, as einsum's does."
  [constant]
  (let [op (lazily constant)]
    (fn [& args] (invoke @op (collect @op (to-array args))))))

(defn- takes?
  "Whether the first `n` arguments of `op` can't be options."
  [^Op op ^long n]
  (<= n (.required (.signature (.spec op)))))

(defn arguments
  "The positional arguments of a call."
  (^objects [x] (doto (object-array 1) (aset 0 x)))
  (^objects [x y] (doto (object-array 2) (aset 0 x) (aset 1 y)))
  (^objects [x y z] (doto (object-array 3) (aset 0 x) (aset 1 y) (aset 2 z))))

(defn function
  "The Clojure function of any other op. For most calls a look at the last arguments tells where the options are."
  [constant]
  (let [op (lazily constant)]
    (fn
      ([] (invoke @op (object-array 0)))
      ([x] (host (Ops/call @op {} (arguments x))))
      ([x y] (cond
               (takes? @op 2) (host (Ops/call @op {} (arguments x y)))
               (map? y) (host (Ops/call @op y (arguments x)))
               (keyword? y) (invoke @op (arguments x y))
               :else (host (Ops/call @op {} (arguments x y)))))
      ([x y z] (cond
                 (takes? @op 3) (host (Ops/call @op {} (arguments x y z)))
                 (or (keyword? y) (keyword? z)) (invoke @op (arguments x y z))
                 (map? z) (host (Ops/call @op z (arguments x y)))
                 :else (host (Ops/call @op {} (arguments x y z)))))
      ([x y z & more] (invoke @op (to-array (list* x y z more)))))))

(defn in-place
  "The Clojure function of an op's in-place form."
  [constant]
  (let [op (lazily constant)
        general (fn [args]
                  (let [[opts positional] (split-args @op (str (.name ^Op @op) "!") args)]
                    (Ops/callInPlace @op opts positional)))]
    (fn
      ([x] (Ops/callInPlace @op {} (arguments x)))
      ([x y] (if (takes? @op 2)
               (Ops/callInPlace @op {} (arguments x y))
               (general (arguments x y))))
      ([x y & more] (general (to-array (list* x y more)))))))
